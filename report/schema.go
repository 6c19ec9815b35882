package report

import _ "embed"

//go:embed schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (draft 2020-12) of a diagnosis, of schema version
// [rebound.Schema], with the values of its enumerations. Its definitions rebound.Rechecked
// and rebound.Triaged describe the output of a recheck and a triage. Fields may be added
// within a version, so a reader passes over those that it does not know.
func Schema() []byte { return append([]byte(nil), schemaJSON...) }
