-- Whether anything of an account ever went to an agency is asked for with each payment that goes out.

CREATE INDEX events_placed ON events (account) WHERE kind = 'PlacementReleased';
