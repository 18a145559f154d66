-- The past of a program, step by step (bench/past.py). Each step begins with a line "-- * what it does".
DROP SCHEMA IF EXISTS past CASCADE;
CREATE SCHEMA past;
CREATE UNLOGGED TABLE past.setting (program_id bigint, activities bigint, lines int, base bigint, stride int,
                                    ends_at timestamptz, step interval);

-- * working tables: who buys what
CREATE UNLOGGED TABLE past.partner AS
SELECT row_number() OVER (ORDER BY id) - 1 AS n, id, coalesce(time_zone, zone) AS time_zone, currency
FROM past.setting s
JOIN partner USING (program_id)
JOIN (SELECT id AS program_id, time_zone AS zone, currency FROM program) g USING (program_id);
CREATE UNLOGGED TABLE past.product AS
SELECT row_number() OVER (ORDER BY id) - 1 AS n, id, category
FROM past.setting JOIN product USING (program_id) WHERE current;
CREATE UNLOGGED TABLE past.rule AS
SELECT row_number() OVER (ORDER BY id) AS place, id, key, version, basis, trim_scale(rate) AS rate, line_filter -> 'categories' ->> 0 AS category
FROM past.setting JOIN earning_rule USING (program_id) WHERE starts_at IS NULL;
ANALYZE past.partner, past.product, past.rule;

-- * activities, each at a partner drawn for it
CREATE UNLOGGED TABLE past.drawn AS
SELECT i, s.base + i * s.stride AS id, p.id AS partner_id, p.time_zone, p.currency, s.ends_at - (s.activities - i) * s.step AS occurred_at,
       row_number() OVER (PARTITION BY p.id ORDER BY i) AS number
FROM past.setting s
CROSS JOIN LATERAL generate_series(0, s.activities - 1) AS i
JOIN past.partner p ON p.n = (hashint8extended(i, 1) & 2147483647) % (SELECT count(*) FROM past.partner);
ANALYZE past.drawn;

-- * the journal's activities
INSERT INTO activity (program_id, id, partner_id, number, kind, source, external_id, occurred_at, posted_at, recorded_at,
                      local_date, time_zone, currency, config_version)
SELECT s.program_id, d.id, d.partner_id, d.number, 'SALE', 'bench', 'past-' || d.i, d.occurred_at,
       d.occurred_at + interval '1 minute', d.occurred_at + interval '1 minute',
       (d.occurred_at AT TIME ZONE d.time_zone)::date, d.time_zone, d.currency, p.config_version
FROM past.drawn d, past.setting s JOIN program p ON p.id = s.program_id ORDER BY d.i;

-- * their keys
INSERT INTO activity_key (program_id, source, external_id, payload_hash, activity_id)
SELECT program_id, source, external_id, decode(md5(external_id), 'hex'), a.id FROM past.setting JOIN activity a USING (program_id);

-- * lines, each of a product, a quantity and an amount drawn for it
CREATE UNLOGGED TABLE past.line AS
SELECT i, l AS line, p.id AS product_id, p.category, (1 + (hashint8extended(i * 8 + l, 3) & 2147483647) % 11)::numeric AS quantity,
       (100 + (hashint8extended(i * 8 + l, 4) & 2147483647) % 19900) * 0.01 AS amount
FROM past.setting s
CROSS JOIN LATERAL generate_series(0, s.activities - 1) AS i
CROSS JOIN LATERAL generate_series(1, s.lines) AS l
JOIN past.product p ON p.n = (hashint8extended(i * 8 + l, 2) & 2147483647) % (SELECT count(*) FROM past.product);
ANALYZE past.line;

-- * the journal's lines
INSERT INTO activity_line (program_id, activity_id, line, product_id, quantity, amount)
SELECT s.program_id, s.base + l.i * s.stride, l.line, l.product_id, l.quantity, l.amount
FROM past.line l, past.setting s ORDER BY l.i, l.line;

-- * what counts of each activity: in all, and of each category that something is counted of
CREATE UNLOGGED TABLE past.counted AS
SELECT i, NULL::text AS category, sum(quantity) AS quantity, sum(amount) AS amount FROM past.line GROUP BY i;
INSERT INTO past.counted
SELECT i, category, sum(quantity), sum(amount) FROM past.line
WHERE category IN (SELECT line_filter -> 'categories' ->> 0
                   FROM past.setting JOIN meter_series s USING (program_id) JOIN metric m ON m.program_id = s.program_id AND m.id = s.metric_id
                   WHERE s.period <> 'FIXED')
GROUP BY i, category;
ANALYZE past.counted;

-- * the tier from before each activity, and after it: what the best quarter so far has earned
CREATE UNLOGGED TABLE past.tiered AS
SELECT b.i, b.partner_id, b.best, after.level, lag(after.level, 1, 0) OVER (PARTITION BY b.partner_id ORDER BY b.i) AS level_before
FROM past.setting s
CROSS JOIN (SELECT i, partner_id, max(amount) OVER (PARTITION BY partner_id ORDER BY i) AS best
            FROM (SELECT d.i, d.partner_id,
                         sum(c.amount) OVER (PARTITION BY d.partner_id, date_trunc('quarter', d.occurred_at AT TIME ZONE d.time_zone)
                                             ORDER BY d.i) AS amount
                  FROM past.drawn d JOIN past.counted c ON c.i = d.i AND c.category IS NULL) q) b
CROSS JOIN LATERAL (SELECT max(level) AS level FROM tier t WHERE t.program_id = s.program_id AND t.threshold <= b.best) after;
ANALYZE past.tiered;

-- * what the rules grant, in the order of the partner's wallet
CREATE UNLOGGED TABLE past.earned AS
SELECT l.i, r.place, CASE r.basis WHEN 'AMOUNT' THEN l.amount WHEN 'QUANTITY' THEN l.quantity ELSE 1 END AS counted,
       '[' || CASE r.basis WHEN 'QUANTITY' THEN l.quantities ELSE l.amounts END || ']' AS weights
FROM (SELECT i, sum(amount) AS amount, sum(quantity) AS quantity,
             string_agg('[' || line || ',"' || amount || '"]', ',' ORDER BY line) AS amounts,
             string_agg('[' || line || ',"' || quantity || '"]', ',' ORDER BY line) AS quantities
      FROM past.line GROUP BY i) l
CROSS JOIN past.rule r WHERE r.category IS NULL;
INSERT INTO past.earned
SELECT l.i, r.place, CASE r.basis WHEN 'AMOUNT' THEN sum(l.amount) WHEN 'QUANTITY' THEN sum(l.quantity) ELSE 1 END,
       '[' || string_agg('[' || l.line || ',"' || CASE r.basis WHEN 'QUANTITY' THEN l.quantity ELSE l.amount END || '"]',
                         ',' ORDER BY l.line) || ']'
FROM past.line l JOIN past.rule r ON r.category = l.category GROUP BY l.i, r.place, r.basis;
CREATE UNLOGGED TABLE past.granted AS
SELECT g.*, row_number() OVER (PARTITION BY i ORDER BY place) AS k,
       row_number() OVER (PARTITION BY partner_id ORDER BY i, place) AS version,
       sum(points) OVER (PARTITION BY partner_id ORDER BY i, place)::bigint AS balance
FROM (SELECT e.i, e.place, e.counted, e.weights, t.partner_id, t.level_before AS level, m.multiplier,
             floor(e.counted * r.rate * m.multiplier)::bigint AS points
      FROM past.earned e
      JOIN past.rule r USING (place)
      JOIN past.tiered t USING (i)
      JOIN past.setting s ON true
      JOIN tier m ON m.program_id = s.program_id AND m.level = t.level_before) g
WHERE points > 0;
ANALYZE past.granted;

-- * lots
INSERT INTO lot (program_id, id, partner_id, unit, transaction_id, activity_id, rule_id, basis, granted_at, matures_at,
                 granted, remaining)
SELECT s.program_id, d.id + 1 + g.k, g.partner_id, 'POINT', d.id + 1, d.id, r.id, g.weights::jsonb,
       d.occurred_at + interval '1 minute', d.occurred_at + interval '1 minute', g.points, g.points
FROM past.granted g JOIN past.drawn d USING (i) JOIN past.rule r USING (place), past.setting s ORDER BY i, k;

-- * lot movements
INSERT INTO lot_movement (program_id, lot_id, transaction_id, number, kind, amount)
SELECT s.program_id, s.base + i * s.stride + 1 + k, s.base + i * s.stride + 1, k, 'GRANTED', points
FROM past.granted, past.setting s ORDER BY i, k;

-- * entries: the wallet's, and the system account's against it
INSERT INTO ledger_entry (program_id, transaction_id, number, unit, account, kind, amount, because, partner_id, bucket,
                          balance_after, version, lot_id)
SELECT s.program_id, s.base + i * s.stride + 1, 2 * k - 2 + side, 'POINT', CASE side WHEN 1 THEN 'WALLET' ELSE 'ISSUED' END,
       'EARN', CASE side WHEN 1 THEN points ELSE -points END, k * CASE multiplier WHEN 1 THEN 2 ELSE 3 END,
       CASE side WHEN 1 THEN partner_id END, CASE side WHEN 1 THEN 'AVAILABLE' END, CASE side WHEN 1 THEN balance END,
       CASE side WHEN 1 THEN version END, CASE side WHEN 1 THEN s.base + i * s.stride + 1 + k END
FROM past.granted, past.setting s, generate_series(1, 2) AS side ORDER BY i, k, side;

-- * wallets
INSERT INTO wallet (program_id, partner_id, unit, available, version)
SELECT s.program_id, g.partner_id, 'POINT', sum(g.points), count(*) FROM past.granted g, past.setting s
GROUP BY s.program_id, g.partner_id ORDER BY min(g.i);

-- * what each activity did to badges and tier
CREATE UNLOGGED TABLE past.followed AS
SELECT d.i, d.partner_id, d.number, b.id AS badge_id, b.key AS badge, l.level AS badge_level, l.threshold AS badge_threshold,
       x.best, n.key AS tier_from, m.key AS tier_to, m.threshold AS tier_threshold, m.level
FROM past.setting s
CROSS JOIN past.drawn d
JOIN past.tiered x USING (i)
LEFT JOIN (badge b CROSS JOIN LATERAL jsonb_array_elements_text(b.levels) WITH ORDINALITY AS l (threshold, level))
       ON b.program_id = s.program_id AND b.series_id IS NOT NULL AND l.threshold::numeric = d.number
LEFT JOIN tier n ON n.program_id = s.program_id AND n.level = x.level_before AND x.level <> x.level_before
LEFT JOIN tier m ON m.program_id = s.program_id AND m.level = x.level AND x.level <> x.level_before
WHERE b.id IS NOT NULL OR m.level IS NOT NULL;
ANALYZE past.followed;

-- * transactions, with their reasons and facts
INSERT INTO ledger_transaction (program_id, id, partner_id, key, activity_id, occurred_at, posted_at, because, facts)
SELECT s.program_id, d.id + 1, d.partner_id, 'activity/' || d.id, d.id, d.occurred_at, d.occurred_at + interval '1 minute',
       ('[{"step":"activity","on":null,"kind":"SALE","source":"bench","externalId":"past-' || d.i || '"}' || g.steps
        || coalesce(',{"step":"badge","on":0,"badge":"' || f.badge || '","level":' || f.badge_level || ',"value":"' || d.number
                    || '","threshold":"' || f.badge_threshold || '"}', '')
        || coalesce(',{"step":"tier","on":0,"value":"' || trim_scale(f.best) || '","threshold":"' || trim_scale(f.tier_threshold)
                    || '","from":"' || f.tier_from || '","to":"' || f.tier_to || '"}', '') || ']')::json,
       ('[' || g.facts
        || coalesce(',{"type":"BadgeAwarded","because":' || g.count + 1 || ',"badge":"' || f.badge || '","level":' || f.badge_level || '}', '')
        || coalesce(',{"type":"TierChanged","because":' || g.count + 1 + (f.badge IS NOT NULL)::int || ',"from":"' || f.tier_from
                    || '","to":"' || f.tier_to || '"}', '') || ']')::json
FROM past.setting s
CROSS JOIN past.drawn d
JOIN (SELECT i, count(*) * max(g.steps) AS count,
             string_agg(',{"step":"rule","on":0,"rule":"' || r.key || '","version":' || r.version || ',"basis":"' || r.basis
                        || '","rate":"' || r.rate || '","counted":"' || trim_scale(g.counted) || '"}' || g.multiplied
                        || ',{"step":"points","on":' || g.k * g.steps - 1 || ',"exact":"'
                        || trim_scale(g.counted * r.rate * g.multiplier) || '","points":' || g.points || ',"unit":"POINT"}',
                        '' ORDER BY g.k) AS steps,
             string_agg('{"type":"PointsPosted","because":' || g.k * g.steps || ',"unit":"POINT","amount":' || g.points
                        || ',"kind":"EARN"}', ',' ORDER BY g.k) AS facts
      FROM (SELECT g.*, CASE g.multiplier WHEN 1 THEN 2 ELSE 3 END AS steps,
                   CASE g.multiplier WHEN 1 THEN ''
                   ELSE ',{"step":"multiplier","on":' || g.k * 3 - 2 || ',"tier":"' || t.key || '","multiplier":"'
                        || trim_scale(t.multiplier) || '"}' END AS multiplied
            FROM past.granted g JOIN past.setting s ON true JOIN tier t ON t.program_id = s.program_id AND t.level = g.level) g
      JOIN past.rule r USING (place) GROUP BY i) g USING (i)
LEFT JOIN past.followed f USING (i) ORDER BY i;

-- * tiers and badges as they stand, and how the tiers came to
INSERT INTO tier_standing (program_id, partner_id, level, earned, since)
SELECT DISTINCT ON (f.partner_id) s.program_id, f.partner_id, f.level, f.level, d.occurred_at + interval '1 minute'
FROM past.followed f JOIN past.drawn d USING (i), past.setting s WHERE f.level IS NOT NULL ORDER BY f.partner_id, i DESC;
INSERT INTO tier_change (program_id, partner_id, from_tier, to_tier, changed_at, cause, transaction_id)
SELECT s.program_id, f.partner_id, f.tier_from, f.tier_to, d.occurred_at, 'COUNTED', d.id + 1
FROM past.followed f JOIN past.drawn d USING (i), past.setting s WHERE f.level IS NOT NULL ORDER BY i;
INSERT INTO badge_award (program_id, partner_id, badge_id, level, awarded_at)
SELECT s.program_id, f.partner_id, f.badge_id, f.badge_level, d.occurred_at + interval '1 minute'
FROM past.followed f JOIN past.drawn d USING (i), past.setting s WHERE f.badge_id IS NOT NULL;

-- * partners: how many activities each has, and how often its tier changed
UPDATE partner p SET activities = x.activities, version = p.version + x.changes
FROM (SELECT d.partner_id, max(d.number) AS activities, count(f.level) AS changes
      FROM past.drawn d LEFT JOIN past.followed f USING (i) GROUP BY d.partner_id) x
WHERE p.program_id = (SELECT program_id FROM past.setting) AND p.id = x.partner_id;

-- * what the meters are counted from
CREATE UNLOGGED TABLE past.activity AS
SELECT d.i, d.partner_id, d.occurred_at, (d.occurred_at AT TIME ZONE d.time_zone)::date AS local_date, g.points
FROM past.drawn d JOIN (SELECT i, sum(points) AS points FROM past.granted GROUP BY i) g USING (i);
ANALYZE past.activity;
CREATE UNLOGGED TABLE past.meter (series_id bigint, window_start date, partner_id bigint, value numeric,
                                  reached_at timestamptz, version bigint, first bigint);
DROP TABLE past.line, past.earned, past.granted, past.tiered, past.followed;
