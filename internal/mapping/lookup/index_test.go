package lookup_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping/lookup"
)

const company = "1P02AAAAAAAAAAAAAA" // what the GSIDs of companies share

func TestFind(t *testing.T) {
	x := lookup.NewIndex([]string{"Name", "Country"})
	x.Add([]string{"Acme", "DE"}, company+"000000000000000002")
	x.Add([]string{" ACME ", "de"}, company+"000000000000000001")
	x.Add([]string{"Acme", "DE"}, company+"000000000000000002")
	x.Add([]string{"Acm", "eDE"}, "short")
	x.Add([]string{"Ünal", "TR"}, "1Z02")
	tests := []struct {
		name   string
		values []string
		want   []string
	}{
		{"several rows are sorted, each once", []string{"acme", "DE "}, []string{company + "000000000000000001", company + "000000000000000002"}},
		{"values do not run into each other", []string{"acm", "ede"}, []string{"short"}},
		{"case counts in no alphabet", []string{"ÜNAL", "tr"}, []string{"1Z02"}},
		{"every value must match", []string{"Acme", "AT"}, nil},
		{"inner spaces count", []string{"Ac me", "DE"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, x.Find(tt.values).GSIDs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFindSeesWhatIsAddedAfterAFind(t *testing.T) {
	x := lookup.NewIndex([]string{"Name"})
	for i := range 20 {
		name := fmt.Sprint("row ", i)
		x.Add([]string{name}, fmt.Sprint("G", i))
		if diff := cmp.Diff([]string{fmt.Sprint("G", i)}, x.Find([]string{name}).GSIDs); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestFindsMayRunAtOnce(t *testing.T) {
	x := lookup.NewIndex([]string{"Name"})
	for i := range 1000 {
		x.Add([]string{fmt.Sprint(i)}, fmt.Sprint("G", i))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 1000 {
				if got := x.Find([]string{fmt.Sprint(i)}).GSIDs; len(got) != 1 {
					t.Errorf("row %d: %v", i, got)
				}
			}
		})
	}
	group.Wait()
}

// fill returns an index and the plain map that it must agree with.
func fill(t *rapid.T) (*lookup.Index, map[string][]string) {
	x, model := lookup.NewIndex([]string{"A", "B"}), map[string][]string{}
	for range rapid.IntRange(0, 60).Draw(t, "rows") {
		values := []string{rapid.SampledFrom([]string{"a", "A", " a", "b", "ab"}).Draw(t, "a"), rapid.SampledFrom([]string{"x", "X ", "y"}).Draw(t, "b")}
		gsid := rapid.StringMatching(`(1P02|1Z02)[0-9A-Z]{0,1}A{0,20}[0-9A-Z]{1,18}`).Draw(t, "gsid")
		x.Add(values, gsid)
		model[plain(values)] = append(model[plain(values)], gsid)
	}
	for key, gsids := range model {
		slices.Sort(gsids)
		model[key] = slices.Compact(gsids)
	}
	return x, model
}

func plain(values []string) string {
	return strings.ToLower(strings.ReplaceAll(strings.Join(values, "|"), " ", ""))
}

func agree(t *rapid.T, x *lookup.Index, model map[string][]string) {
	for _, a := range []string{"a", "b", "ab", "c"} {
		for _, b := range []string{"x", "y", "z"} {
			if diff := cmp.Diff(model[a+"|"+b], x.Find([]string{a, b}).GSIDs); diff != "" {
				t.Fatalf("%s %s: %s", a, b, diff)
			}
		}
	}
}

func TestAnIndexIsAMapAndStaysOneWhenDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, model := fill(t)
		agree(t, x, model)
		var file bytes.Buffer
		if err := x.Encode(&file); err != nil {
			t.Fatal(err)
		}
		first := bytes.Clone(file.Bytes())
		again, err := lookup.Decode(&file)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, again, model)
		if err := again.Encode(&file); err != nil || !bytes.Equal(first, file.Bytes()) {
			t.Fatalf("encoded again it is another file: %v", err)
		}
		again.Add([]string{"c", "z"}, "late")
		model["c|z"] = []string{"late"}
		agree(t, again, model)
	})
}

// sample is a file as every process must write and read it, made by hand: mark,
// width, prefixes, ends, entries by SHA-256 of the key, CRC-32.
const sample = "6c6f6f6b7570310a010200123150303241414141414141414141414141411712303030303030303030303030303030303031" +
	"035831320287e5b542bd9a5ef772c2a4d543b77fff00000001000000008ea6530bc539aa5787435a6ef8afcbef0000000000" +
	"0000134b6d92d0"

func small() *lookup.Index {
	x := lookup.NewIndex([]string{"Name"})
	x.Add([]string{"Acme"}, company+"000000000000000001")
	x.Add([]string{"Beta"}, "X12")
	return x
}

func TestTheFormOfTheFileDoesNotChange(t *testing.T) {
	var file bytes.Buffer
	if err := small().Encode(&file); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(file.Bytes()); got != sample {
		t.Errorf("files of running executions could not be read any more:\n got %s\nwant %s", got, sample)
	}
}

func TestADamagedFileIsNoIndex(t *testing.T) {
	var file bytes.Buffer
	if err := small().Encode(&file); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	for n := range whole {
		if _, err := lookup.Decode(bytes.NewReader(whole[:n])); !fault.Is(err, fault.Internal) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		broken := bytes.Clone(whole)
		broken[n] ^= 0x41
		if _, err := lookup.Decode(bytes.NewReader(broken)); !fault.Is(err, fault.Internal) {
			t.Fatalf("changed at %d: %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestErrorsOfTheFileAreReturned(t *testing.T) {
	want := errors.New("disk full")
	if err := small().Encode(failing{want}); !errors.Is(err, want) {
		t.Errorf("encode: %v", err)
	}
	if _, err := lookup.Decode(failing{want}); !errors.Is(err, want) || fault.KindOf(err) != fault.Internal {
		t.Errorf("decode: %v", err)
	}
}

func grow(n int) *lookup.Index {
	x := lookup.NewIndex([]string{"HubSpot_Account_ID__gc"})
	for i := range n {
		x.Add([]string{fmt.Sprint(10_000_000_000 + i)}, fmt.Sprintf("%s%018d", company, i))
	}
	x.Find([]string{"1"})
	return x
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAKeyTakesAtMost100Bytes(t *testing.T) {
	const n = 200_000
	before := heap()
	x := grow(n)
	each := float64(heap()-before) / n
	if runtime.KeepAlive(x); each > 100 {
		t.Errorf("%.0f bytes a key", each)
	}
}

func BenchmarkIndex(b *testing.B) {
	x := grow(1_000_000)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		x.Find([]string{"10000500000"})
	}
}

func BenchmarkGrow(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		before := heap()
		x := grow(n)
		b.ReportMetric(float64(heap()-before)/n, "B/key")
		runtime.KeepAlive(x)
	}
}
