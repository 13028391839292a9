BEGIN TRANSACTION;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "counters" VALUES('label_sequence',3);
CREATE TABLE interactions (
    row_sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    identity BLOB NOT NULL UNIQUE,
    source_kind TEXT NOT NULL,
    agent_id TEXT,
    opportunity_id TEXT,
    scored_at INTEGER,
    features BLOB NOT NULL,
    formula_score REAL,
    is_called INTEGER,
    outcome_type TEXT,
    outcome_score REAL,
    outcome_at INTEGER,
    label_sequence INTEGER
);
INSERT INTO "interactions" VALUES(1,X'CD5388107B3D5340BFC98ABF9F42B523','real','agent 0','spot 0',1794355200000000,X'00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F0000000000000000',0.5,1,'positive',0.9,1794358800000000,1);
INSERT INTO "interactions" VALUES(2,X'287D812F0BAE598F052955FF545134CC','real','agent 1','spot 1',1794355260000000,X'9A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F',0.5,1,NULL,NULL,NULL,NULL);
INSERT INTO "interactions" VALUES(3,X'5E369AC55F4A52775839B9C6609C8B63','real','agent 2','spot 2',1794355320000000,X'9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F',0.5,1,'positive',0.9,1794358920000000,2);
INSERT INTO "interactions" VALUES(4,X'D27BCCE8B9EC044F163D2E0584DD6AFF','real','agent 3','spot 3',1794355380000000,X'333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F9A9999999999D93F000000000000E03F333333333333E33F666666666666E63F9A9999999999E93FCDCCCCCCCCCCEC3F000000000000F03F00000000000000009A9999999999B93F9A9999999999C93F333333333333D33F',0.5,1,'positive',0.9,1794358980000000,3);
CREATE TABLE model_versions (
    registered_order INTEGER PRIMARY KEY AUTOINCREMENT,
    model_type TEXT NOT NULL,
    version TEXT NOT NULL,
    content_digest TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('staging', 'active', 'deprecated', 'archived')),
    weight REAL NOT NULL CHECK (weight BETWEEN 0 AND 1),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_registered_at TEXT NOT NULL,
    watermark TEXT,
    content TEXT NOT NULL,
    UNIQUE (model_type, version),
    UNIQUE (model_type, content_digest)
);
INSERT INTO "model_versions" VALUES(1,'calling_score','v1.0-synthetic','ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb','active',0.1,'2026-11-21T10:00:00.000000+00:00','2026-11-21T13:00:00.000000+00:00','2026-11-21T10:00:00.000000+00:00',NULL,'{"model_type":"calling_score","version":"v1.0-synthetic","content_digest":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","sha256":"e1c23f4aafb8021d0c64cf377768fa994b9256c22b5dfa7c05d7611e71fe7f1e","manifest_sha256":"3f83c0a588de2f71f7303de6dc5e7d3d1a601ad5db8c08c60b80888ca79bbf79","contract_digest":"4c994e3f5e1e117ec0f388ed3cece692d267d2af2b0dd3946e08a74187ce4c98","dataset_digest":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","source_kind":"synthetic","source":"made up","n_labelled":10000,"metrics":{"test_mse":0.0224}}');
INSERT INTO "model_versions" VALUES(2,'calling_score','v1.1-synthetic','3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d','staging',0.1,'2026-11-21T11:00:00.000000+00:00','2026-11-21T11:00:00.000000+00:00','2026-11-21T11:00:00.000000+00:00',NULL,'{"model_type":"calling_score","version":"v1.1-synthetic","content_digest":"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d","sha256":"3776d8041b89ddc979a1b8f286f508aec958e25e164ecc97107d2383ef000b1c","manifest_sha256":"61393187bdfa39adacaf16abd9974b691e05ac7d5acae751baf5891fe809517d","contract_digest":"4c994e3f5e1e117ec0f388ed3cece692d267d2af2b0dd3946e08a74187ce4c98","dataset_digest":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","source_kind":"synthetic","source":"made up","n_labelled":10000,"metrics":{"test_mse":0.0224}}');
CREATE TABLE quarantined (
    identity BLOB PRIMARY KEY,
    position INTEGER NOT NULL,
    source TEXT NOT NULL,
    reasons TEXT NOT NULL,
    record TEXT NOT NULL,
    imported_at TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "quarantined" VALUES(X'38A44061F7E5477D432530EDBA8F23E5',4,'a test','["outcome_contradicts_score"]','{"user_vibe_dimensions": {"exploration_eagerness": 0.9, "community_orientation": 1.0, "location_adventurousness": 0.0, "authenticity_preference": 0.1, "trust_network_reliance": 0.2, "temporal_flexibility": 0.3, "energy_preference": 0.4, "novelty_seeking": 0.5, "value_orientation": 0.6, "crowd_tolerance": 0.7, "social_preference": 0.8, "overall_energy": 0.9}, "spot_vibe_dimensions": {"exploration_eagerness": 1.0, "community_orientation": 0.0, "location_adventurousness": 0.1, "authenticity_preference": 0.2, "trust_network_reliance": 0.3, "temporal_flexibility": 0.4, "energy_preference": 0.5, "novelty_seeking": 0.6, "value_orientation": 0.7, "crowd_tolerance": 0.8, "social_preference": 0.9, "overall_energy": 1.0}, "context_features": {"location_proximity": 0.0, "journey_alignment": 0.1, "user_receptivity": 0.2, "opportunity_availability": 0.3, "network_effects": 0.4, "community_patterns": 0.5}, "timing_features": {"optimal_time_of_day": 0.6, "optimal_day_of_week": 0.7, "user_patterns": 0.8, "opportunity_timing": 0.9}, "formula_calling_score": 0.5, "outcome_score": 0.1, "formula_is_called": true, "outcome_type": "positive", "agent_id": "agent 2", "opportunity_id": "spot 9", "timestamp": "2026-11-11T00:09:00+00:00", "outcome_timestamp": "2026-11-11T01:09:00+00:00"}','2026-11-21T00:00:00.000000+00:00');
CREATE TABLE version_history (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    model_type TEXT NOT NULL,
    version TEXT NOT NULL,
    action TEXT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    FOREIGN KEY (model_type, version) REFERENCES model_versions (model_type, version)
);
INSERT INTO "version_history" VALUES(1,'2026-11-21T10:00:00.000000+00:00','calling_score','v1.0-synthetic','registered',NULL,'staging','test','');
INSERT INTO "version_history" VALUES(2,'2026-11-21T11:00:00.000000+00:00','calling_score','v1.1-synthetic','registered',NULL,'staging','test','');
INSERT INTO "version_history" VALUES(3,'2026-11-21T13:00:00.000000+00:00','calling_score','v1.0-synthetic','promoted','staging','active','ann','better');
CREATE UNIQUE INDEX one_active_version ON model_versions (model_type) WHERE status = 'active';
CREATE TRIGGER history_is_not_changed BEFORE UPDATE ON version_history
BEGIN SELECT RAISE(ABORT, 'version_history is append-only'); END;
CREATE TRIGGER history_is_not_deleted BEFORE DELETE ON version_history
BEGIN SELECT RAISE(ABORT, 'version_history is append-only'); END;
CREATE TRIGGER versions_are_not_deleted BEFORE DELETE ON model_versions
BEGIN SELECT RAISE(ABORT, 'versions are archived, never deleted'); END;
CREATE TRIGGER content_is_not_changed BEFORE UPDATE OF model_type, version, content_digest, created_at, content
ON model_versions BEGIN SELECT RAISE(ABORT, 'what a version is never changes'); END;
CREATE UNIQUE INDEX labels_by_arrival ON interactions (label_sequence) WHERE label_sequence IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('interactions',4);
INSERT INTO "sqlite_sequence" VALUES('model_versions',2);
INSERT INTO "sqlite_sequence" VALUES('version_history',3);
COMMIT;
