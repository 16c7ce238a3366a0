-- Accounts of which anything ever went to an agency are asked for whenever writing to Kafka begins.

CREATE INDEX events_placed ON events (account) WHERE kind = 'PlacementReleased';
