package validate

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiled(t *testing.T, at string) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile("../../schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json" + at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each story's diagnosis is valid, and a wrong one is not.
func TestStoriesAreValid(t *testing.T) {
	schema := compiled(t, "")
	files, err := filepath.Glob("../../../testdata/cases/*/want.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d stories: %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(schema, raw); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, wrong := range []struct{ old, new string }{
			{`"certainty": "`, `"certainty": "very `}, {`"schema": 1`, `"schema": "1"`}, {`"causes": [`, `"reasons": [`}, {`"outcome": "`, `"outcome": "not `},
		} {
			changed := bytes.Replace(raw, []byte(wrong.old), []byte(wrong.new), 1)
			if bytes.Contains(raw, []byte(wrong.old)) && validate(schema, changed) == nil {
				t.Errorf("%s: %q in place of %q is valid", file, wrong.new, wrong.old)
			}
		}
	}
}

func validate(s *jsonschema.Schema, raw []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

// The other two outputs have definitions that compile.
func TestDefinitions(t *testing.T) {
	for _, at := range []string{"#/$defs/rebound.Rechecked", "#/$defs/rebound.Triaged"} {
		if validate(compiled(t, at), []byte(`{}`)) == nil {
			t.Errorf("%s takes an empty object", at)
		}
	}
}
