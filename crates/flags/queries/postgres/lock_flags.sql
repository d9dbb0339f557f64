-- Writers take turns until they commit: so the order of the revisions is the order of the commits.
SELECT pg_advisory_xact_lock(7462, 1)::text AS locked
