INSERT INTO schema_migrations (number, statement, state, name, sha256, `by`)
SELECT {number:UInt32}, {statement:UInt16}, {state:String}, {name:String}, {sha256:String}, {by:String}
