"""Earning rules in full: terms as data, versions that hold from a moment on, what they gave so far, and budgets."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

TABLES = """
-- What a rule, all versions together, gave a partner in a period; `rule_id` is its first version.
CREATE TABLE earning_usage (
    program_id bigint NOT NULL,
    rule_id    bigint NOT NULL,
    partner_id bigint NOT NULL,
    period     text   NOT NULL,                  -- DAY, MONTH, PARTNER (all time)
    starts_on  date   NOT NULL,
    points     bigint NOT NULL,
    activities int    NOT NULL,                  -- how many purchases were counted
    PRIMARY KEY (program_id, rule_id, partner_id, period, starts_on),
    FOREIGN KEY (program_id, rule_id) REFERENCES earning_rule (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    CHECK (points >= 0 AND activities >= 0)
) WITH (fillfactor = 75);

-- What a rule may give to all partners together. Taken from last, by a conditional update.
CREATE TABLE earning_budget (
    program_id bigint NOT NULL,
    rule_id    bigint NOT NULL,
    budget     bigint NOT NULL,
    spent      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (program_id, rule_id),
    FOREIGN KEY (program_id, rule_id) REFERENCES earning_rule (program_id, id),
    CHECK (budget > 0 AND spent >= 0)
) WITH (fillfactor = 50);

ALTER TABLE earning_rule ADD CHECK ((version = 1) = (effective_from IS NULL));
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0015_tier_benefits")]

    operations = [
        ops.AddField(
            model_name="EarningRule",
            name="terms",
            field=fields.JSONField(default=dict, db_default={}, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="EarningRule",
            name="effective_from",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="EarningRule",
            name="ended_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.RunSQL(TABLES),
    ]
