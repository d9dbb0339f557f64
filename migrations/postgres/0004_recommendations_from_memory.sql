-- What is bought together is counted in the memory of each node, from the log, and written nowhere.

-- recommendations: `basket` and `basket_item` are neither written nor read from here on. They stay,
-- because nodes of the version before read them until the last of those has ended. The next release
-- that changes the schema drops both tables.

-- broker: there is no group `recommendations` any more, so it is behind in nothing. A node of the
-- version before finds no position to move, and writes no further baskets. Positions first: whoever
-- parks an event holds one.
DELETE FROM consumer_position WHERE consumer = 'recommendations';
DELETE FROM parked_event WHERE consumer = 'recommendations';
