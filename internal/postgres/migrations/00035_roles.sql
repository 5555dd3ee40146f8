-- +goose Up

-- Who may do what besides steward_owner, which runs the migrations and owns what they make. Read models have their
-- rights from Go's package projector, which makes them. Nobody but the owner gets into vault.
GRANT USAGE ON SCHEMA ops TO steward_api, steward_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.sessions, ops.throttles TO steward_api;

-- Jobs change all of ops, also what later migrations make.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ops TO steward_worker;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ops TO steward_worker;
ALTER DEFAULT PRIVILEGES IN SCHEMA ops GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO steward_worker;
ALTER DEFAULT PRIVILEGES IN SCHEMA ops GRANT USAGE, SELECT ON SEQUENCES TO steward_worker;

-- The list of migrations is the owner's alone.
REVOKE ALL ON ops.schema_migrations FROM steward_worker;
