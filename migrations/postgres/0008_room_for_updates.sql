-- Each payment row is updated once, when the provider has answered: with as much room on its page
-- as it takes itself, the new version stays there, and no index has to be told.
ALTER TABLE payment SET (fillfactor = 50);
