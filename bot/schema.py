"""The database's tables, as the list of migrations that made them.

Never edit a migration that was released: append one. Times are Unix seconds,
hashes and addresses lower case hexadecimal with 0x, uint256 ids decimal text
(SQLite's integers end at 63 bits), JSON is text.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # How far each governor's logs were read; next_block has not been read yet.
        """
        CREATE TABLE cursors (
            chain TEXT NOT NULL,
            governor TEXT NOT NULL,
            next_block INTEGER NOT NULL,
            updated_at REAL NOT NULL,
            PRIMARY KEY (chain, governor)
        ) STRICT
        """,
        # The newest final block and all read blocks above it, linked by parent_hash.
        """
        CREATE TABLE blocks (
            chain TEXT NOT NULL,
            number INTEGER NOT NULL,
            hash TEXT NOT NULL,
            parent_hash TEXT NOT NULL,
            timestamp INTEGER NOT NULL,
            final INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (chain, number)
        ) STRICT
        """,
        """
        CREATE TABLE proposals (
            id INTEGER PRIMARY KEY,
            chain TEXT NOT NULL,
            governor TEXT NOT NULL,
            number TEXT NOT NULL,
            proposer TEXT NOT NULL,
            title TEXT NOT NULL,
            description TEXT NOT NULL,
            created_block INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            vote_start INTEGER,
            vote_end INTEGER,
            eta INTEGER,
            state TEXT NOT NULL DEFAULT 'unknown',
            state_block INTEGER,
            withdrawn INTEGER NOT NULL DEFAULT 0,
            feed_answers TEXT NOT NULL DEFAULT '{}',
            evaluated_at REAL,
            UNIQUE (chain, governor, number)
        ) STRICT
        """,
        # Everything that happened to a proposal. An orphaned event is kept, marked withdrawn.
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            proposal_id INTEGER NOT NULL REFERENCES proposals(id),
            kind TEXT NOT NULL,
            chain TEXT NOT NULL,
            block INTEGER NOT NULL,
            block_hash TEXT NOT NULL,
            tx_hash TEXT NOT NULL,
            log_index INTEGER NOT NULL,
            timestamp INTEGER NOT NULL,
            detail TEXT NOT NULL DEFAULT '{}',
            seen_at REAL NOT NULL,
            withdrawn_at REAL,
            handled INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE INDEX events_by_block ON events (chain, block)",
        "CREATE INDEX events_by_proposal ON events (proposal_id, id)",
        "CREATE INDEX events_unhandled ON events (handled) WHERE handled = 0",
        # Logs nobody can read, as they came.
        """
        CREATE TABLE quarantine (
            id INTEGER PRIMARY KEY,
            chain TEXT NOT NULL,
            address TEXT NOT NULL,
            block INTEGER NOT NULL,
            block_hash TEXT NOT NULL,
            tx_hash TEXT NOT NULL,
            log_index INTEGER NOT NULL,
            topics TEXT NOT NULL,
            data BLOB NOT NULL,
            reason TEXT NOT NULL,
            seen_at REAL NOT NULL,
            UNIQUE (chain, block_hash, tx_hash, log_index)
        ) STRICT
        """,
        """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,
            kind TEXT NOT NULL,
            reason TEXT NOT NULL,
            proposal_id INTEGER REFERENCES proposals(id),
            request TEXT NOT NULL,
            reply_to TEXT NOT NULL DEFAULT '{}',
            state TEXT NOT NULL DEFAULT 'queued',
            attempts INTEGER NOT NULL DEFAULT 0,
            not_before REAL NOT NULL,
            lease_until REAL,
            worker TEXT,
            stage TEXT NOT NULL DEFAULT '',
            done REAL NOT NULL DEFAULT 0,
            cancel_asked INTEGER NOT NULL DEFAULT 0,
            error TEXT NOT NULL DEFAULT '',
            created_at REAL NOT NULL,
            started_at REAL,
            finished_at REAL
        ) STRICT
        """,
        "CREATE INDEX jobs_by_state ON jobs (state, not_before)",
        "CREATE INDEX jobs_by_proposal ON jobs (proposal_id, id)",
        """
        CREATE TABLE evaluations (
            id INTEGER PRIMARY KEY,
            job_id INTEGER NOT NULL UNIQUE REFERENCES jobs(id),
            proposal_id INTEGER REFERENCES proposals(id),
            kind TEXT NOT NULL,
            reason TEXT NOT NULL,
            verdict TEXT NOT NULL,
            headline TEXT NOT NULL,
            digest TEXT NOT NULL,
            block INTEGER,
            report TEXT NOT NULL,
            markdown TEXT NOT NULL,
            embed TEXT NOT NULL,
            created_at REAL NOT NULL
        ) STRICT
        """,
        "CREATE INDEX evaluations_by_proposal ON evaluations (proposal_id, id)",
        """
        CREATE TABLE charts (
            evaluation_id INTEGER NOT NULL REFERENCES evaluations(id),
            name TEXT NOT NULL,
            png BLOB NOT NULL,
            PRIMARY KEY (evaluation_id, name)
        ) STRICT
        """,
        # Posts to be. Of one lane only the oldest open entry is delivered.
        """
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            target TEXT NOT NULL,
            subject TEXT NOT NULL,
            kind TEXT NOT NULL,
            payload TEXT NOT NULL,
            evaluation_id INTEGER REFERENCES evaluations(id),
            state TEXT NOT NULL DEFAULT 'waiting',
            attempts INTEGER NOT NULL DEFAULT 0,
            not_before REAL NOT NULL,
            created_at REAL NOT NULL,
            finished_at REAL,
            error TEXT NOT NULL DEFAULT ''
        ) STRICT
        """,
        "CREATE INDEX outbox_open ON outbox (target, subject, id) "
        "WHERE state NOT IN ('sent', 'refused')",
        # Every attempt at delivering an outbox entry, written before it is made.
        """
        CREATE TABLE deliveries (
            id INTEGER PRIMARY KEY,
            outbox_id INTEGER NOT NULL REFERENCES outbox(id),
            attempt INTEGER NOT NULL,
            started_at REAL NOT NULL,
            finished_at REAL,
            outcome TEXT NOT NULL,
            said TEXT NOT NULL DEFAULT ''
        ) STRICT
        """,
        "CREATE INDEX deliveries_by_entry ON deliveries (outbox_id, id)",
        "CREATE INDEX deliveries_open ON deliveries (outcome) "
        "WHERE outcome IN ('making', 'looking')",
        # Where the lasting post about a subject is at a target.
        """
        CREATE TABLE placements (
            target TEXT NOT NULL,
            subject TEXT NOT NULL,
            remote TEXT NOT NULL,
            url TEXT NOT NULL DEFAULT '',
            updated_at REAL NOT NULL,
            PRIMARY KEY (target, subject)
        ) STRICT
        """,
        """
        CREATE TABLE subscriptions (
            id INTEGER PRIMARY KEY,
            guild TEXT NOT NULL,
            channel TEXT NOT NULL,
            chain TEXT NOT NULL,
            governor TEXT NOT NULL,
            severity TEXT NOT NULL,
            role TEXT,
            created_by TEXT NOT NULL,
            created_at REAL NOT NULL,
            UNIQUE (channel, chain, governor)
        ) STRICT
        """,
        # Who did what; nothing is ever deleted from it.
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            detail TEXT NOT NULL DEFAULT '{}'
        ) STRICT
        """,
    ),
    (
        # The markets around each governor as the worker read them last.
        """
        CREATE TABLE surveys (
            chain TEXT NOT NULL,
            governor TEXT NOT NULL,
            block INTEGER NOT NULL,
            made_at REAL NOT NULL,
            survey TEXT NOT NULL,
            PRIMARY KEY (chain, governor)
        ) STRICT
        """,
        # The survey that stood when the proposal was last evaluated, '' for none.
        "ALTER TABLE proposals ADD COLUMN surveyed TEXT NOT NULL DEFAULT ''",
        # Another proposal came into the governor's queue, or left it without being executed.
        "ALTER TABLE proposals ADD COLUMN disturbed INTEGER NOT NULL DEFAULT 0",
    ),
)
