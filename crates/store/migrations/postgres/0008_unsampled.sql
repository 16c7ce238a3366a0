-- No plan depends on these columns: the planner need not know what is in them. To sort samples of
-- them by the rules of a language took most of what ANALYZE took, every few seconds under load.

ALTER TABLE events ALTER COLUMN kind SET STATISTICS 0, ALTER COLUMN payload SET STATISTICS 0,
    ALTER COLUMN cause SET STATISTICS 0;
ALTER TABLE secrets ALTER COLUMN stamp SET STATISTICS 0, ALTER COLUMN sealed SET STATISTICS 0;
ALTER TABLE snapshots ALTER COLUMN state SET STATISTICS 0;
ALTER TABLE keys ALTER COLUMN wrapped SET STATISTICS 0;
ALTER TABLE outbox ALTER COLUMN detail SET STATISTICS 0, ALTER COLUMN traceparent SET STATISTICS 0;
ALTER TABLE dead_letters ALTER COLUMN detail SET STATISTICS 0, ALTER COLUMN sealed SET STATISTICS 0;
