// Tests of report's JSON Schema with a validator of others. A module of its own, so that
// it is no dependency of rebound.
module github.com/rebound-mail/rebound/report/internal/validate

go 1.26.0

require github.com/santhosh-tekuri/jsonschema/v6 v6.0.3

require golang.org/x/text v0.14.0 // indirect
