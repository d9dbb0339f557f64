-- broker
ALTER TABLE consumer_position
    -- The last event of those that a process said it would begin with. Beyond `seq`, the process has
    -- not said how it ended: it is at work, or it died of one of them.
    ADD COLUMN claimed bigint NOT NULL DEFAULT 0,
    -- How often that event was begun alone; 0 while others were begun with it.
    ADD COLUMN tries   bigint NOT NULL DEFAULT 0;
