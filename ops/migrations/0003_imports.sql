-- Files that are, or were, taken in: how far each came, what it refused, and which rows were recorded before.

CREATE TABLE import (
    program_id    bigint      NOT NULL REFERENCES program (id),
    id            bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    kind          text        NOT NULL CHECK (kind IN ('SALES', 'PARTNERS', 'PRODUCTS', 'BALANCES')),
    state         text        NOT NULL CHECK (state IN ('UPLOADING', 'QUEUED', 'RUNNING', 'DONE', 'FAILED')),
    file_name     text        NOT NULL,
    file_digest   bytea,                         -- of the file as it was sent; null while it is uploaded
    file_size     bigint      NOT NULL,          -- bytes, as it was sent
    mapping       text        NOT NULL,          -- TOML
    history       boolean     NOT NULL,          -- booked at the time at which it occurred
    created_by    text        NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz,
    moved_at      timestamptz,                   -- when its position last moved
    header        text[]      NOT NULL DEFAULT '{}',
    position      bigint      NOT NULL DEFAULT 0, -- the first line that is still to be read; it moves with what was recorded
    bytes_read    bigint      NOT NULL DEFAULT 0, -- of the file as it was sent
    read          bigint      NOT NULL DEFAULT 0,
    recorded      bigint      NOT NULL DEFAULT 0,
    duplicates    bigint      NOT NULL DEFAULT 0,
    refused       bigint      NOT NULL DEFAULT 0,
    activities    bigint      NOT NULL DEFAULT 0, -- activities, or whatever the kind is of, that were recorded
    duplicates_in bigint      NOT NULL DEFAULT 0, -- of the duplicates, exact repeats in this file
    reasons       jsonb       NOT NULL DEFAULT '{}', -- refused rows by code
    posted_through timestamptz,                  -- how far the clock of a history load has come
    error         text,
    PRIMARY KEY (program_id, id),
    CHECK (read = recorded + duplicates + refused)
);
CREATE INDEX import_file ON import (program_id, file_digest);

-- A row that was refused, as it stood in the file.
CREATE TABLE import_refusal (
    program_id bigint NOT NULL,
    import_id  bigint NOT NULL,
    line       bigint NOT NULL,
    first_line bigint NOT NULL,
    code       text   NOT NULL,
    message    text   NOT NULL,
    column_name text,
    cells      text[] NOT NULL,
    PRIMARY KEY (program_id, import_id, line),
    FOREIGN KEY (program_id, import_id) REFERENCES import (program_id, id)
);

-- The rows that made activities, kept for ever: a row counts once, in whatever file it comes again.
CREATE TABLE import_row (
    program_id bigint NOT NULL,
    source     text   NOT NULL,
    document   text   NOT NULL,
    digest     bytea  NOT NULL,
    import_id  bigint NOT NULL,
    PRIMARY KEY (program_id, source, document, digest),
    FOREIGN KEY (program_id, import_id) REFERENCES import (program_id, id)
);

-- Which imports have rows of a document: told without a look at its rows, however many they are.
CREATE TABLE import_document (
    program_id bigint NOT NULL,
    source     text   NOT NULL,
    document   text   NOT NULL,
    import_id  bigint NOT NULL,
    PRIMARY KEY (program_id, source, document, import_id),
    FOREIGN KEY (program_id, import_id) REFERENCES import (program_id, id)
);

-- A file that is uploaded, in pieces as they came.
CREATE TABLE import_piece (
    program_id bigint NOT NULL,
    import_id  bigint NOT NULL,
    start      bigint NOT NULL,                  -- the place of its first byte in the file
    content    bytea  NOT NULL,
    PRIMARY KEY (program_id, import_id, start),
    FOREIGN KEY (program_id, import_id) REFERENCES import (program_id, id)
);
ALTER TABLE import_piece ALTER COLUMN content SET STORAGE EXTERNAL;
