-- The tables that are read and written in sets, and what holds all tables together.
--
-- They stay out of Tortoise's models: composite keys, partial indexes and triggers are not in its language, and the
-- hot paths use them through SQL alone. Every key starts with program_id, and every reference carries it.

-- Ids of journal and books are taken from here in blocks, one statement a batch (base/ids.py).
CREATE SEQUENCE hot_id INCREMENT BY 64;

------------------------------------------------------------------------------------------------ activity: the journal

-- The idempotency keys, kept for ever. A row appears with the activity, in one transaction.
CREATE TABLE activity_key (
    program_id   bigint NOT NULL,
    source       text   NOT NULL,
    external_id  text   NOT NULL,
    payload_hash bytea  NOT NULL,
    activity_id  bigint NOT NULL,
    PRIMARY KEY (program_id, source, external_id)
);

CREATE TABLE activity (
    program_id  bigint      NOT NULL,
    id          bigint      NOT NULL,
    partner_id  bigint      NOT NULL,
    number      bigint      NOT NULL,            -- dense per partner: the order in which they were accepted
    kind        text        NOT NULL,
    source      text        NOT NULL,
    external_id text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    posted_at   timestamptz NOT NULL,            -- when it was booked, by the injected clock
    recorded_at timestamptz NOT NULL,            -- when it reached us
    local_date  date        NOT NULL,            -- of occurred_at, in time_zone
    time_zone   text        NOT NULL,            -- the partner's, when it was accepted
    currency    text        NOT NULL,
    reverses_id bigint,                          -- a RETURN of a whole activity
    attributes  jsonb,
    PRIMARY KEY (program_id, id),
    UNIQUE (program_id, partner_id, number),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    FOREIGN KEY (program_id, reverses_id) REFERENCES activity (program_id, id),
    CHECK (number > 0)
);
CREATE INDEX activity_reverses ON activity (program_id, reverses_id) WHERE reverses_id IS NOT NULL;

CREATE TABLE activity_line (
    program_id    bigint  NOT NULL,
    activity_id   bigint  NOT NULL,
    line          int     NOT NULL,              -- counts from 1
    product_id    bigint  NOT NULL,
    quantity      numeric NOT NULL,              -- in the product's own unit
    amount        numeric NOT NULL,
    reverses_id   bigint,                        -- the line that this one takes back, all or part
    reverses_line int,
    unit          text,                          -- as reported: the pack, where it was not the product's own unit
    unit_quantity numeric,                       -- and how many of it
    PRIMARY KEY (program_id, activity_id, line),
    FOREIGN KEY (program_id, activity_id) REFERENCES activity (program_id, id),
    FOREIGN KEY (program_id, product_id) REFERENCES product (program_id, id),
    FOREIGN KEY (program_id, reverses_id, reverses_line) REFERENCES activity_line (program_id, activity_id, line),
    CHECK (quantity > 0 AND amount >= 0 AND (reverses_id IS NULL) = (reverses_line IS NULL)),
    CHECK ((unit IS NULL) = (unit_quantity IS NULL) AND (unit_quantity IS NULL OR unit_quantity > 0))
);
CREATE INDEX activity_line_reverses ON activity_line (program_id, reverses_id, reverses_line)
    WHERE reverses_id IS NOT NULL;

------------------------------------------------------------------------------------------------------ metrics: meters

-- The value of one metric for one partner in one window. No index on the value: it would defeat HOT updates.
CREATE TABLE meter (
    program_id   bigint      NOT NULL,
    series_id    bigint      NOT NULL,
    window_start date        NOT NULL,
    partner_id   bigint      NOT NULL,
    value        numeric     NOT NULL,
    reached_at   timestamptz NOT NULL,           -- greatest occurred_at among what counts and was not wholly returned
    version      bigint      NOT NULL,
    PRIMARY KEY (program_id, series_id, window_start, partner_id),
    FOREIGN KEY (program_id, series_id) REFERENCES meter_series (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id)
) WITH (fillfactor = 75);

-- What a distinct count has seen: the value of its meter is the number of parts above zero.
CREATE TABLE meter_part (
    program_id   bigint  NOT NULL,
    series_id    bigint  NOT NULL,
    window_start date    NOT NULL,
    partner_id   bigint  NOT NULL,
    part         text    NOT NULL,               -- a SKU, or a local date
    count        numeric NOT NULL,
    PRIMARY KEY (program_id, series_id, window_start, partner_id, part),
    FOREIGN KEY (program_id, series_id) REFERENCES meter_series (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id)
) WITH (fillfactor = 75);

------------------------------------------------------------------------------------------------------ loyalty: ledger

CREATE TABLE wallet (
    program_id bigint NOT NULL,
    partner_id bigint NOT NULL,
    unit       text   NOT NULL,
    available  bigint NOT NULL DEFAULT 0,
    pending    bigint NOT NULL DEFAULT 0,
    held       bigint NOT NULL DEFAULT 0,
    debt       bigint NOT NULL DEFAULT 0,
    version    bigint NOT NULL DEFAULT 0,        -- of its last entry
    PRIMARY KEY (program_id, partner_id, unit),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    CHECK (available >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0 AND version >= 0),
    CHECK (debt = 0 OR available = 0)
) WITH (fillfactor = 75);

-- What one cause did to one partner: its entries (zero or more), its facts, and why.
CREATE TABLE ledger_transaction (
    program_id  bigint      NOT NULL,
    id          bigint      NOT NULL,
    partner_id  bigint      NOT NULL,
    key         text        NOT NULL,            -- the cause: one transaction a key
    activity_id bigint,                          -- the activity that set it off, where one did
    occurred_at timestamptz NOT NULL,
    posted_at   timestamptz NOT NULL,
    because     json        NOT NULL,            -- steps; entries and facts point at theirs by its place
    facts       json        NOT NULL,
    PRIMARY KEY (program_id, id),
    UNIQUE (program_id, key),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    FOREIGN KEY (program_id, activity_id) REFERENCES activity (program_id, id)
);
CREATE INDEX ledger_transaction_activity ON ledger_transaction (program_id, activity_id) WHERE activity_id IS NOT NULL;

CREATE TABLE ledger_entry (
    program_id     bigint   NOT NULL,
    transaction_id bigint   NOT NULL,
    number         int      NOT NULL,            -- counts from 1 in its transaction
    unit           text     NOT NULL,
    account        text     NOT NULL,            -- WALLET, or a system account: ISSUED, ADJUSTED, OPENING
    kind           text     NOT NULL,
    amount         bigint   NOT NULL,
    because        int      NOT NULL,
    partner_id     bigint,                       -- the rest: of a WALLET entry alone
    bucket         text,
    balance_after  bigint,                       -- of the bucket; below zero for DEBT, which is owed
    version        bigint,                       -- dense per wallet: its order
    lot_id         bigint,
    PRIMARY KEY (program_id, transaction_id, number),
    FOREIGN KEY (program_id, transaction_id) REFERENCES ledger_transaction (program_id, id),
    FOREIGN KEY (program_id, partner_id, unit) REFERENCES wallet (program_id, partner_id, unit),
    CHECK (amount <> 0),
    CHECK ((account = 'WALLET') = (partner_id IS NOT NULL)
       AND (account = 'WALLET') = (bucket IS NOT NULL AND balance_after IS NOT NULL AND version IS NOT NULL)),
    CHECK (CASE bucket WHEN 'DEBT' THEN balance_after <= 0 ELSE balance_after >= 0 END)
);
CREATE UNIQUE INDEX ledger_entry_wallet ON ledger_entry (program_id, partner_id, unit, version)
    WHERE partner_id IS NOT NULL;

-- Points granted together. `basis` weighs the activity's lines, so that a return takes back its share.
CREATE TABLE lot (
    program_id     bigint      NOT NULL,
    id             bigint      NOT NULL,
    partner_id     bigint      NOT NULL,
    unit           text        NOT NULL,
    transaction_id bigint      NOT NULL,
    activity_id    bigint,
    rule_id        bigint,                       -- the version of the earning rule that granted it
    basis          jsonb,                        -- [[line, weight as a decimal string], …]
    granted_at     timestamptz NOT NULL,
    matures_at     timestamptz NOT NULL,
    expires_at     timestamptz,
    granted        bigint      NOT NULL,
    remaining      bigint      NOT NULL,
    held           bigint      NOT NULL DEFAULT 0,
    spent          bigint      NOT NULL DEFAULT 0,
    expired        bigint      NOT NULL DEFAULT 0,
    reversed       bigint      NOT NULL DEFAULT 0,
    repaid         bigint      NOT NULL DEFAULT 0,
    recalled       bigint      NOT NULL DEFAULT 0,   -- what returns took for this lot, from anywhere
    PRIMARY KEY (program_id, id),
    FOREIGN KEY (program_id, partner_id, unit) REFERENCES wallet (program_id, partner_id, unit),
    FOREIGN KEY (program_id, transaction_id) REFERENCES ledger_transaction (program_id, id),
    FOREIGN KEY (program_id, activity_id) REFERENCES activity (program_id, id),
    FOREIGN KEY (program_id, rule_id) REFERENCES earning_rule (program_id, id),
    CHECK (granted > 0 AND remaining >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND reversed >= 0
       AND repaid >= 0 AND granted = remaining + held + spent + expired + reversed + repaid),
    CHECK (recalled BETWEEN 0 AND granted - expired)
) WITH (fillfactor = 85);
ALTER TABLE ledger_entry ADD FOREIGN KEY (program_id, lot_id) REFERENCES lot (program_id, id);
CREATE INDEX lot_open ON lot (program_id, partner_id, unit) WHERE remaining > 0;
CREATE INDEX lot_reward ON lot (program_id, transaction_id) WHERE rule_id IS NULL;
CREATE INDEX lot_apart ON lot (program_id, partner_id) WHERE activity_id IS NULL;
CREATE INDEX lot_activity ON lot (program_id, activity_id) WHERE activity_id IS NOT NULL;

CREATE TABLE lot_movement (
    program_id     bigint   NOT NULL,
    lot_id         bigint   NOT NULL,
    transaction_id bigint   NOT NULL,
    number         int      NOT NULL,            -- counts from 1 in its transaction
    kind           text     NOT NULL,            -- GRANTED, SPENT, REVERSED, REPAID: what `amount` was added to
    amount         bigint   NOT NULL,
    PRIMARY KEY (program_id, transaction_id, number),
    FOREIGN KEY (program_id, lot_id) REFERENCES lot (program_id, id),
    FOREIGN KEY (program_id, transaction_id) REFERENCES ledger_transaction (program_id, id),
    CHECK (amount > 0)
);

CREATE TABLE tier_standing (
    program_id   bigint      NOT NULL,
    partner_id   bigint      NOT NULL,
    level        int         NOT NULL,           -- the highest that any period earned: no review takes it yet
    since        timestamptz NOT NULL,
    PRIMARY KEY (program_id, partner_id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    CHECK (level >= 0)
) WITH (fillfactor = 75);

---------------------------------------------------------------------------------------------------------------- game

-- A partner's completion of an occurrence. What is under way needs no row: it is the meters.
CREATE TABLE mission_completion (
    program_id   bigint      NOT NULL,
    mission_id   bigint      NOT NULL,
    occurrence   text        NOT NULL,
    partner_id   bigint      NOT NULL,
    n            int         NOT NULL,           -- rises only after a revocation; rewards are paid once a value
    completed_at timestamptz NOT NULL,
    revoked_at   timestamptz,
    PRIMARY KEY (program_id, mission_id, occurrence, partner_id),
    FOREIGN KEY (program_id, mission_id) REFERENCES mission (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id)
);
CREATE INDEX mission_completion_partner ON mission_completion (program_id, partner_id);

CREATE TABLE badge_award (
    program_id bigint      NOT NULL,
    partner_id bigint      NOT NULL,
    badge_id   bigint      NOT NULL,
    level      int         NOT NULL,
    awarded_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (program_id, partner_id, badge_id, level),
    FOREIGN KEY (program_id, badge_id) REFERENCES badge (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id)
);

-------------------------------------------------------------------------------------------------------- leaderboards

-- The final standings of a closed season, frozen.
CREATE TABLE season_standing (
    program_id  bigint      NOT NULL,
    season_id   bigint      NOT NULL,
    group_key   text        NOT NULL,            -- '' for the whole board, else the region, tier …
    position    bigint      NOT NULL,
    partner_id  bigint      NOT NULL,
    rank        bigint      NOT NULL,
    score       numeric     NOT NULL,
    reached_at  timestamptz NOT NULL,
    PRIMARY KEY (program_id, season_id, group_key, position),
    UNIQUE (program_id, season_id, partner_id, group_key),
    FOREIGN KEY (program_id, season_id) REFERENCES season (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id)
);

-------------------------------------------------------------------------------------------------------- base: outbox

-- One row per transaction, read below pg_snapshot_xmin and dropped when every consumer has passed it.
CREATE TABLE outbox (
    xid             xid8        NOT NULL DEFAULT pg_current_xact_id(),
    id              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    program_id      bigint      NOT NULL REFERENCES program (id),
    partner_ids     bigint[]    NOT NULL,        -- whose standing may have moved
    transaction_ids bigint[]    NOT NULL,        -- whose facts are to be told
    written_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (xid, id)
);
CREATE TABLE outbox_cursor (
    consumer text   PRIMARY KEY,
    xid      xid8   NOT NULL,
    id       bigint NOT NULL
);

---------------------------------------------------------------------------------------------------------------- push

CREATE TABLE message (
    program_id     bigint      NOT NULL,
    id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    partner_id     bigint      NOT NULL,
    transaction_id bigint      NOT NULL,
    fact           int         NOT NULL,         -- the fact's place in its transaction
    template       text        NOT NULL,
    locale         text        NOT NULL,
    title          text        NOT NULL,
    body           text        NOT NULL,
    created_at     timestamptz NOT NULL,
    read_at        timestamptz,
    PRIMARY KEY (program_id, id),
    UNIQUE (program_id, transaction_id, fact),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    FOREIGN KEY (program_id, transaction_id) REFERENCES ledger_transaction (program_id, id)
);
CREATE INDEX message_inbox ON message (program_id, partner_id, id);

CREATE TABLE delivery (
    program_id   bigint      NOT NULL,
    id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    message_id   bigint      NOT NULL,
    channel      text        NOT NULL,
    device_id    bigint,
    state        text        NOT NULL,           -- QUEUED, SENT, NO_CHANNEL, FAILED
    attempts     int         NOT NULL DEFAULT 0,
    error        text,
    due_at       timestamptz NOT NULL,
    delivered_at timestamptz,
    PRIMARY KEY (program_id, id),
    UNIQUE NULLS NOT DISTINCT (program_id, message_id, channel, device_id),
    FOREIGN KEY (program_id, message_id) REFERENCES message (program_id, id),
    FOREIGN KEY (program_id, device_id) REFERENCES device (program_id, id)
);
CREATE INDEX delivery_due ON delivery (due_at) WHERE state = 'QUEUED';

----------------------------------------------------------------------------- references and checks of the model tables

ALTER TABLE region ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD FOREIGN KEY (program_id, parent_id) REFERENCES region (program_id, id);
ALTER TABLE partner ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD FOREIGN KEY (program_id, region_id) REFERENCES region (program_id, id),
    ADD FOREIGN KEY (program_id, parent_id) REFERENCES partner (program_id, id),
    ADD CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED')),
    SET (fillfactor = 80);
CREATE INDEX partner_region ON partner (program_id, region_id);
ALTER TABLE product ADD FOREIGN KEY (program_id) REFERENCES program (id);
CREATE UNIQUE INDEX product_current ON product (program_id, sku) WHERE current;
ALTER TABLE metric ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD CHECK (measure IN ('COUNT', 'QUANTITY', 'AMOUNT', 'DISTINCT_PRODUCTS', 'DISTINCT_DAYS',
                           'POINTS_EARNED', 'POINTS_ALL'));
ALTER TABLE meter_series ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD FOREIGN KEY (program_id, metric_id) REFERENCES metric (program_id, id),
    ADD CHECK (period IN ('DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY', 'YEARLY', 'FIXED', 'LIFETIME')),
    ADD UNIQUE NULLS NOT DISTINCT (program_id, metric_id, period, time_zone, starts_at, ends_at);
ALTER TABLE earning_rule ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD CHECK (basis IN ('ACTIVITY', 'QUANTITY', 'AMOUNT') AND rate > 0);
ALTER TABLE tier_ladder ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD FOREIGN KEY (program_id, metric_id) REFERENCES metric (program_id, id),
    ADD FOREIGN KEY (program_id, series_id) REFERENCES meter_series (program_id, id);
ALTER TABLE tier ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD FOREIGN KEY (program_id, ladder_id) REFERENCES tier_ladder (program_id, id),
    ADD CHECK (level >= 0 AND threshold >= 0 AND multiplier >= 0);
ALTER TABLE mission ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD CHECK (ends_at IS NULL OR ends_at > starts_at);
ALTER TABLE objective ADD FOREIGN KEY (program_id, mission_id) REFERENCES mission (program_id, id),
    ADD FOREIGN KEY (program_id, metric_id) REFERENCES metric (program_id, id),
    ADD FOREIGN KEY (program_id, series_id) REFERENCES meter_series (program_id, id),
    ADD CHECK (target > 0);
ALTER TABLE badge ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD FOREIGN KEY (program_id, metric_id) REFERENCES metric (program_id, id),
    ADD FOREIGN KEY (program_id, series_id) REFERENCES meter_series (program_id, id);
ALTER TABLE leaderboard ADD FOREIGN KEY (program_id) REFERENCES program (id),
    ADD FOREIGN KEY (program_id, metric_id) REFERENCES metric (program_id, id),
    ADD FOREIGN KEY (program_id, series_id) REFERENCES meter_series (program_id, id),
    ADD CHECK (group_by IN ('NONE', 'REGION', 'TIER'));
ALTER TABLE season ADD FOREIGN KEY (program_id, leaderboard_id) REFERENCES leaderboard (program_id, id),
    ADD CHECK (state IN ('SCHEDULED', 'LIVE', 'GRACE', 'FINALIZING', 'CLOSED'));
ALTER TABLE device ADD FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    ADD CHECK (platform IN ('ANDROID', 'IOS', 'WEB'));
CREATE INDEX device_live ON device (program_id, partner_id) WHERE forgotten_at IS NULL;

ALTER TABLE activity_key ADD FOREIGN KEY (program_id, activity_id) REFERENCES activity (program_id, id)
    DEFERRABLE INITIALLY DEFERRED;               -- the key is taken before the activity is decided

----------------------------------------------------------------------------------------------------------- the guards

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON activity
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON activity_line
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lot_movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Each transaction's entries sum to zero per unit. A transaction's entries are written by one statement.
CREATE FUNCTION refuse_imbalance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT transaction_id, unit, sum(amount) AS total INTO wrong
    FROM written GROUP BY program_id, transaction_id, unit HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is out of balance by % %', wrong.transaction_id, wrong.total, wrong.unit
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balanced AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_imbalance();
