-- broker
-- The last event of those that a process said it would begin with. Beyond `seq`, the process has
-- not said how it ended: it is at work, or it died of one of them.
ALTER TABLE consumer_position ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
-- How often that event was begun alone; 0 while others were begun with it.
ALTER TABLE consumer_position ADD COLUMN tries   INTEGER NOT NULL DEFAULT 0;
