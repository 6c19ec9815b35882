package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/warmup"
)

func warmupRun(t *testing.T, stdin string, args ...string) (status int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), append([]string{"rebound", "warmup"}, args...), strings.NewReader(stdin), &o, &e)
	return status, o.String(), e.String()
}

func TestWarmupPlan(t *testing.T) {
	plan := []string{"plan", "-target", "20,000", "-start", "2026-12-01", "-mix", "google=0.5,microsoft=0.3,other=0.2"}
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"20,000 mails a day in 6 days, 1 address", "2026-12-06  20,000   30 d.  10,000      6,000   4,000  ██"}},
		{[]string{"-target", "50"}, []string{"50 mails a day in 1 day, 1 address"}},
		{[]string{"-preset", "sendgrid"}, []string{"https://github.com/sendgrid/docs", "   1  2026-12-01      50"}},
		{[]string{"-csv"}, []string{"day,date,total,opened_within_days,google,microsoft,other,hour_00", "\n6,2026-12-06,20000,30,10000,6000,4000,833,"}},
		{[]string{"-ics", "-now", "2026-11-24"}, []string{"BEGIN:VCALENDAR\r\n", "DTSTAMP:20261124T000000Z", "SUMMARY:Warm-up day 6: 20\\,000 mails"}},
		{[]string{"-svg"}, []string{"<svg xmlns=", "prefers-color-scheme"}},
		{[]string{"-json"}, []string{`{"target":20000,"ips":1,"providers":["google","microsoft","other"]`, `"by_provider":[10000,6000,4000]`}},
		{[]string{"-weekend", "0.5", "-hours", "8-20"}, []string{"50 % of the day's volume"}},
		{[]string{"-from", "20000", "-blocked"}, []string{"   1  2026-12-01   5,000"}},
		{[]string{"-holidays", "2026-12-02"}, []string{"2026-12-02       0", "no mail"}},
		{[]string{"-tiers", "30=1000,60=50000"}, []string{"   60 d."}},
	} {
		status, out, errOut := warmupRun(t, "", append(plan, tt.args...)...)
		for _, want := range tt.want {
			if status != exitDone || !strings.Contains(out, want) {
				t.Errorf("%v: status %d, no %q in\n%s%s", tt.args, status, want, out, errOut)
			}
		}
	}
	if _, out, _ := warmupRun(t, "", "plan", "-presets"); strings.Count(out, "https://") != len(warmup.Presets()) {
		t.Errorf("presets:\n%s", out)
	}
}

func TestWarmupSimulate(t *testing.T) {
	status, out, _ := warmupRun(t, "", "simulate", "-world", "lenient", "-trials", "4", "-target", "100000", "-json")
	var got struct {
		World      string   `json:"world"`
		Target     int      `json:"target"`
		Trials     int      `json:"trials"`
		DaysMedian *float64 `json:"days_median"`
		DaysP90    *float64 `json:"days_p90"`
		Reached    *float64 `json:"reached"`
		Blocked    *float64 `json:"blocked_share"`
		Deferral   *float64 `json:"deferral_rate"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitDone || got.World != "lenient" || got.Target != 100_000 || got.Trials != 4 || got.DaysMedian == nil || got.DaysP90 == nil || got.Reached == nil || *got.Reached != 1 || got.Blocked == nil || got.Deferral == nil {
		t.Errorf("%d, %v, %s", status, err, out)
	}
	file := filepath.Join(t.TempDir(), "mine.json")
	if err := os.WriteFile(file, []byte(`{"name":"mine","c0":2000,"sigma":0.6,"growth":[0.01,0.02],"threshold":[2.5,6],"shock":0,"list":"good","calendar":false}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := warmupRun(t, "", "simulate", "-world", file, "-trials", "2", "-days", "20"); !strings.Contains(out, `world "mine"`) || !strings.Contains(out, "not within 20") || !strings.Contains(out, "not fitted") {
		t.Errorf("a world of one's own:\n%s", out)
	}
	if _, out, _ := warmupRun(t, "", "simulate", "-world", file, "-trials", "2", "-days", "20", "-json"); !strings.Contains(out, `"days_median":null`) {
		t.Errorf("a target that is not reached: %s", out)
	}
	if _, out, _ := warmupRun(t, "", "simulate", "-compare", "-world", "lenient", "-trials", "2"); !strings.Contains(out, "SparkPost, gated") {
		t.Errorf("compared:\n%s", out)
	}
	if _, out, _ := warmupRun(t, "", "simulate", "-compare", "-world", "lenient", "-trials", "2", "-json"); !strings.Contains(out, `{"policy":"rebound","world":"lenient"`) {
		t.Errorf("compared:\n%s", out)
	}
}

func TestWarmupNext(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	next := func(stdin string, args ...string) (int, string, string) {
		return warmupRun(t, stdin, append([]string{"next", "-state", state}, args...)...)
	}
	if status, _, errOut := next(""); status != exitNothing || !strings.Contains(errOut, "needs -target") {
		t.Errorf("a new state without a target: %d, %s", status, errOut)
	}
	status, out, errOut := next("", "-target", "100000", "-mix", "google=0.6,yahoo=0.4", "-identity", "192.0.2.1", "-now", "2026-12-01")
	if status != exitDone || !strings.Contains(out, "2026-12-01  192.0.2.1 to google: 300 mails\n") {
		t.Errorf("the first day: %d\n%s%s", status, out, errOut)
	}
	outcomes := `{"identity":"192.0.2.1","provider":"google","day":"2026-12-01","delivered":297,"hard_bounce":3}
{"identity":"192.0.2.1","provider":"yahoo","day":"2026-12-01","delivered":20,"blocked":30}
`
	status, out, errOut = next(outcomes, "-outcomes", "-", "-now", "2026-12-02")
	for _, want := range []string{"to google: 742 mails\n            advance: 297 were delivered", "to yahoo: nothing before 2026-12-02 23:59 UTC\n            the provider blocks this sender"} {
		if status != exitDone || !strings.Contains(out, want) {
			t.Errorf("the second day: %d, no %q in\n%s%s", status, want, out, errOut)
		}
	}
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	for stdin, want := range map[string]string{
		"{\"identity\":\"a\"}\n":  "object 1: identity, provider and day are needed",
		"{\"delivered\":\"x\"}\n": "object 1",
		"identity,provider,day,listed\n192.0.2.1,google,2026-12-02,maybe\n": "line 2, listed",
		"identity,provider,day\n,google,2026-12-02\n":                       "line 2: identity",
		"identity,provider\na,b\n":                                          "no column \"day\"",
		"identity,provider,day,delivered\n192.0.2.1,google,2026-12-02,x\n":  "line 2, delivered",
		"identity,provider,day,sent\n192.0.2.1,google,2026-12-02,3\n":       "sent: there is no such column",
	} {
		if status, _, errOut := next(stdin, "-outcomes", "-", "-now", "2026-12-02"); status != exitNothing || !strings.Contains(errOut, want) {
			t.Errorf("%q: status %d, %s; want %q", stdin, status, errOut, want)
		}
	}
	if after, _ := os.ReadFile(state); !bytes.Equal(after, before) {
		t.Errorf("refused figures changed the state")
	}
	csv := "identity,provider,day,delivered,deferred,wait,connections\n192.0.2.1,google,2026-12-02,300,5,10m,1\n"
	status, out, errOut = next(csv, "-outcomes", "-", "-now", "2026-12-02T12:00:00Z", "-json")
	if status != exitDone || !strings.Contains(out, `"provider":"google","day":"2026-12-02","allowance":742`) || !strings.Contains(out, `"until":"2026-12-02T12:10:00Z"`) {
		t.Errorf("CSV: %d\n%s%s", status, out, errOut)
	}
	if status, _, errOut := next(outcomes, "-outcomes", "-", "-now", "2026-12-02T13:00:00Z"); status != exitNothing || !strings.Contains(errOut, "that day is closed") {
		t.Errorf("a closed day: %d, %s", status, errOut)
	}
	if status, out, errOut := next("[{\"identity\":\"192.0.2.1\",\"provider\":\"Google\",\"day\":\"2026-12-02\",\"delivered\":301,\"deferred\":5},{\"identity\":\"192.0.2.1\",\"provider\":\"yahoo\",\"day\":\"2026-12-02\",\"delivered\":1}]", "-outcomes", "-", "-now", "2026-12-02T13:00:00Z"); status != exitDone || !strings.Contains(out, "to google: 742 mails") {
		t.Errorf("an array: %d, %s%s", status, out, errOut)
	}
	if status, out, _ := next("\ufeffidentity,provider,day,delivered,listed\n192.0.2.1,google,2026-12-03,1,TRUE\n", "-outcomes", "-", "-now", "2026-12-03T13:00:00Z"); status != exitDone || !strings.Contains(out, "a block list has this sender") {
		t.Errorf("a listing in capitals: %d, %s", status, out)
	}
	if err := os.WriteFile(state+".rev-99", []byte(`{"version":1,"li`), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errOut := next(""); status != exitNothing || !strings.Contains(errOut, "damaged") {
		t.Errorf("a cut state: %d, %s", status, errOut)
	}
}

func TestWarmupErrors(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"plan", "-target is needed"},
		{"plan -target 0", "0 mails a day"},
		{"plan -target 1000000000000", "1000000000000 mails a day"},
		{"plan -target many", "\"many\" is no number"},
		{"plan -target 1000 -mix google=0.5", "sum to 0.5"},
		{"plan -target 1000 -mix google", "not NAME=SHARE"},
		{"plan -target 1000 -mix google=0.5,Google=0.5", "stands twice"},
		{"plan -target 1000 -preset x", "no preset \"x\""},
		{"plan -target 1000 -start tomorrow", "-start"},
		{"plan -target 1000 -hours 20-8", "-hours"},
		{"plan -target 1000 -weekend 2", "-weekend"},
		{"plan -target 1000 -csv -svg", "exclude each other"},
		{"plan -target 1000 x", "no argument such as \"x\""},
		{"simulate -world nowhere", "lenient, typical"},
		{"simulate -policy x", "SparkPost"},
		{"simulate -trials -1", "-1 trials"},
		{"next", "-state is needed"},
		{"plan -markdown", "not defined: -markdown"},
		{"next -first 3", "not defined: -first"},
		{"wramup", "no command \"wramup\""},
	} {
		if status, out, errOut := warmupRun(t, "", strings.Fields(tt.args)...); status != exitNothing || out != "" || !strings.Contains(errOut, tt.want) || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: status %d, %q, %q; want %q", tt.args, status, out, errOut, tt.want)
		}
	}
}
