"""What a replay of the past needs to know beside the journal: by which configuration an activity was decided, when the
past was gone through again for a partner, what else decided about its tier, and the calendar that it had.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

KEPT = """
-- The program's `config_version` by which it was decided; 0 of those before this was kept.
ALTER TABLE activity ADD COLUMN config_version bigint NOT NULL DEFAULT 0;

-- The past gone through again, one row a page: for whom, and after how many activities of each.
CREATE TABLE past_review (
    program_id     bigint      NOT NULL REFERENCES program (id),
    id             bigint      NOT NULL DEFAULT nextval('hot_id'),
    reviewed_at    timestamptz NOT NULL,
    config_version bigint         NOT NULL,
    series_ids     bigint[]    NOT NULL,         -- whose watchers followed
    filled_ids     bigint[]    NOT NULL,         -- those among them that had lacked a part of the past
    partner_ids    bigint[]    NOT NULL,         -- rising
    numbers        bigint[]    NOT NULL,         -- of their last activities
    last_partner   bigint      NOT NULL,
    PRIMARY KEY (program_id, id),
    CHECK (cardinality(partner_ids) > 0 AND cardinality(partner_ids) = cardinality(numbers)
       AND last_partner = partner_ids[cardinality(partner_ids)])
);
CREATE INDEX past_review_partner ON past_review (program_id, last_partner);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON past_review
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What decided about a partner's tier beside the activities that were accepted.
CREATE TABLE tier_mark (
    program_id bigint      NOT NULL,
    id         bigint      NOT NULL DEFAULT nextval('hot_id'),
    partner_id bigint      NOT NULL,
    number     bigint      NOT NULL,             -- of the partner's last activity; of a WAITED one its own
    kind       text        NOT NULL,
    made_at    timestamptz NOT NULL,
    standing   jsonb,                            -- as it was then: of BEGAN, where there was one, and OVERRIDDEN
    PRIMARY KEY (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    CHECK (kind IN ('BEGAN', 'REVIEWED', 'OVERRIDDEN', 'WAITED'))
);
CREATE INDEX tier_mark_partner ON tier_mark (program_id, partner_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tier_mark
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- Whoever stands on a ladder already is climbed again from here.
INSERT INTO tier_mark (program_id, partner_id, number, kind, made_at, standing)
SELECT p.program_id, p.id, p.activities, 'BEGAN', now(), to_jsonb(s) - 'program_id' - 'partner_id'
FROM tier_ladder l JOIN partner p ON p.program_id = l.program_id
LEFT JOIN tier_standing s ON s.program_id = p.program_id AND s.partner_id = p.id
WHERE p.activities > 0 OR s.partner_id IS NOT NULL
ORDER BY p.program_id, p.id;

-- The zone and the day of joining that a partner had, through an activity: those of today stand in its own row.
CREATE TABLE partner_calendar (
    program_id bigint NOT NULL,
    id         bigint NOT NULL DEFAULT nextval('hot_id'),
    partner_id bigint NOT NULL,
    number     bigint NOT NULL,                  -- of its last activity under them
    time_zone  text,
    joined_on  date,
    PRIMARY KEY (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id)
);
CREATE INDEX partner_calendar_partner ON partner_calendar (program_id, partner_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON partner_calendar
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION keep_calendar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO partner_calendar (program_id, partner_id, number, time_zone, joined_on)
    VALUES (OLD.program_id, OLD.id, OLD.activities, OLD.time_zone, OLD.joined_on);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_calendar AFTER UPDATE OF time_zone, joined_on ON partner FOR EACH ROW
    WHEN ((OLD.time_zone, OLD.joined_on) IS DISTINCT FROM (NEW.time_zone, NEW.joined_on))
    EXECUTE FUNCTION keep_calendar();
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0021_holds_of_partners")]

    operations = [
        ops.AddField("Mission", "published_version", fields.BigIntField(null=True)),
        ops.AddField("Mission", "ended_version", fields.BigIntField(null=True)),
        ops.AddField("Badge", "created_version", fields.BigIntField(default=0, db_default=0)),
        ops.RunSQL(KEPT),
    ]
