package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite schema.json from the types")

// The schema is made from the source of the types: their JSON fields, their comments and
// their constants.
func TestSchemaIsThatOfTheTypes(t *testing.T) {
	g := &generator{types: map[string]ast.Expr{}, docs: map[string]string{}, values: map[string][]string{}, defs: map[string]any{}}
	for name, dir := range map[string]string{"rebound": "..", "bounce": "../bounce", "finding": "../finding", "warmup": "../warmup"} {
		g.read(t, name, dir)
	}
	g.values["finding.Outcome"] = []string{"unknown", "clean", "found", "not-applicable", "broke"}
	g.values["finding.Severity"] = []string{"info", "notice", "warning", "critical"}
	g.values["warmup.Action"], g.values["warmup.Provider"] = nil, nil // open ones
	g.values["rebound.CauseKind"] = append(g.values["bounce.Reason"], append(g.values["rebound.CauseKind"], "other-groups")...)
	g.types["bounce.Recipient"] = g.types["bounce.recipientJSON"] // as it marshals itself
	for _, root := range []string{"rebound.Diagnosis", "rebound.Rechecked", "rebound.Triaged"} {
		g.define(root)
	}
	want := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://github.com/rebound-mail/rebound/report/schema.json",
		"title": "A diagnosis of rebound, schema 1", "$ref": "#/$defs/rebound.Diagnosis", "$defs": g.defs,
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("schema.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b.Bytes(), Schema()) {
		t.Error("schema.json is not that of the types: go test ./report -update")
	}
}

type generator struct {
	types  map[string]ast.Expr // by "package.Name"
	docs   map[string]string
	values map[string][]string // of constants, by type
	defs   map[string]any
}

func (g *generator) read(t *testing.T, name, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if gd, ok := d.(*ast.GenDecl); ok {
				g.declare(name, gd)
			}
		}
	}
}

func (g *generator) declare(pkg string, d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			g.types[pkg+"."+s.Name.Name] = s.Type
			doc := s.Doc
			if doc == nil {
				doc = d.Doc
			}
			g.docs[pkg+"."+s.Name.Name] = plainDoc(doc)
		case *ast.ValueSpec:
			typ, ok := s.Type.(*ast.Ident)
			if d.Tok != token.CONST || !ok || len(s.Values) != 1 {
				continue
			}
			if lit, ok := s.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if v, err := strconv.Unquote(lit.Value); err == nil {
					key := pkg + "." + typ.Name
					g.values[key] = append(g.values[key], v)
				}
			}
		}
	}
}

func plainDoc(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// define adds the definition of a type.
func (g *generator) define(name string) {
	if _, done := g.defs[name]; done {
		return
	}
	def := map[string]any{}
	g.defs[name] = def // before its fields: types may hold themselves
	if doc := g.docs[name]; doc != "" {
		def["description"] = doc
	}
	pkg, _, _ := strings.Cut(name, ".")
	switch typ := g.types[name].(type) {
	case *ast.StructType:
		def["type"] = "object"
		properties, required := g.fields(pkg, typ)
		def["properties"] = properties
		if len(required) > 0 {
			def["required"] = required
		}
	default:
		if values := g.values[name]; values != nil {
			def["enum"] = distinct(append(values, ""))
			return
		}
		for k, v := range g.schema(pkg, typ) {
			def[k] = v
		}
	}
}

func distinct(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func (g *generator) fields(pkg string, typ *ast.StructType) (properties map[string]any, required []string) {
	properties = map[string]any{}
	for _, f := range typ.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if name == "" || name == "-" {
			continue
		}
		schema := g.schema(pkg, f.Type)
		if comment := strings.TrimSpace(plainDoc(f.Doc) + " " + plainDoc(f.Comment)); comment != "" {
			schema["description"] = comment
		}
		properties[name] = schema
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return properties, required
}

// marshalled are the types that write themselves.
var marshalled = map[string]map[string]any{
	"time.Time": {"type": "string", "format": "date-time"}, "time.Duration": {"type": "integer", "description": "nanoseconds"},
	"netip.Addr": {"type": "string"}, "netip.Prefix": {"type": "string"},
	"bounce.Code": {"type": "string", "pattern": `^([245]\.[0-9]{1,3}\.[0-9]{1,3})?$`}, "rebound.Duration": {"type": "string"},
	"warmup.Date": {"type": "string", "format": "date"}, "warmup.Action": {"type": "string"},
}

func (g *generator) schema(pkg string, typ ast.Expr) map[string]any {
	switch typ := typ.(type) {
	case *ast.Ident:
		switch typ.Name {
		case "string":
			return map[string]any{"type": "string"}
		case "bool":
			return map[string]any{"type": "boolean"}
		case "int", "int64", "uint8", "uint16":
			return map[string]any{"type": "integer"}
		case "float64":
			return map[string]any{"type": "number"}
		}
		return g.named(pkg + "." + typ.Name)
	case *ast.SelectorExpr:
		return g.named(typ.X.(*ast.Ident).Name + "." + typ.Sel.Name)
	case *ast.StarExpr:
		return map[string]any{"anyOf": []any{g.schema(pkg, typ.X), map[string]any{"type": "null"}}}
	case *ast.ArrayType:
		return map[string]any{"type": []any{"array", "null"}, "items": g.schema(pkg, typ.Elt)}
	case *ast.MapType:
		return map[string]any{"type": "object", "additionalProperties": g.schema(pkg, typ.Value)}
	}
	return map[string]any{}
}

func (g *generator) named(name string) map[string]any {
	if m := marshalled[name]; m != nil {
		out := map[string]any{}
		for k, v := range m {
			out[k] = v
		}
		return out
	}
	if g.types[name] == nil {
		return map[string]any{} // of a package that is not described here
	}
	g.define(name)
	return map[string]any{"$ref": "#/$defs/" + name}
}
