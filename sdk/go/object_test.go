package cdpplugin

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// What is left alone keeps its text and order; what is set is replaced or stands at the end.
func TestObject(t *testing.T) {
	object, err := ParseObject([]byte(` { "n" : 9007199254740993, "t":"a\u0062", "d":1.50 ,"b\u0061d":{"x":[1, 2]},"t2":"z" } `))
	if err != nil {
		t.Fatal(err)
	}
	if number, ok := object.Int64("n"); !ok || number != 9007199254740993 {
		t.Errorf("got %d %v", number, ok)
	}
	if text, ok := object.Text("t"); !ok || text != "ab" {
		t.Errorf("got %q %v", text, ok)
	}
	if text, ok := object.Text("n"); ok {
		t.Errorf("expected no text, got %q", text)
	}
	if _, ok := object.Int64("missing"); ok || object.Get("missing") != nil {
		t.Error("expected nothing")
	}
	var inner struct{ X []int }
	if err := object.Decode("bad", &inner); err != nil || !reflect.DeepEqual([]int{1, 2}, inner.X) {
		t.Errorf("got %v %v", inner, err)
	}
	if err := object.Decode("t", &inner); codeOf(err) != CodePayloadInvalid {
		t.Errorf("expected %s, got %v", CodePayloadInvalid, err)
	}
	for name, value := range map[string]any{"t": "new", "t2": json.RawMessage("[]")} {
		if err := object.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := object.Set(`q"`, map[string]any{"k": int64(1)}); err != nil {
		t.Fatal(err)
	}
	if err := object.Set("d", make(chan int)); codeOf(err) != CodePayloadInvalid {
		t.Errorf("expected %s, got %v", CodePayloadInvalid, err)
	}
	object.Delete("bad")
	expected := `{"n":9007199254740993,"t":"new","d":1.50,"t2":[],"q\"":{"k":1}}`
	if got := string(object.JSON()); expected != got || object.Len() != 5 {
		t.Errorf("expected %s, got %s", expected, got)
	}
}

// What is no JSON object is refused.
func TestObjectRefused(t *testing.T) {
	for _, text := range []string{
		"", "1", "[]", "{", "{}x", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{a:1}`,
		`{"a":"` + "\n" + `"}`, `{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":tru}`, `{"a":[1 2]}`, `{"a":"` + "\xff" + `"}`,
		`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
	} {
		if _, err := ParseObject([]byte(text)); codeOf(err) != CodePayloadInvalid {
			t.Errorf("%.40q: expected %s, got %v", text, CodePayloadInvalid, err)
		}
	}
}

// Values may be nested as deeply as encoding/json takes them, and not a level deeper.
func TestObjectDepth(t *testing.T) {
	for depth, expected := range map[int]bool{9_999: true, 10_000: false} {
		for _, text := range []string{
			`{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`,
			`{"a":` + strings.Repeat(`{"":`, depth-1) + "[]" + strings.Repeat("}", depth-1) + `}`,
		} {
			_, err := ParseObject([]byte(text))
			if expected != (err == nil) || expected != json.Valid([]byte(text)) {
				t.Errorf("depth %d: expected %v, got %v", depth, expected, err)
			}
		}
	}
}

// Exactly the objects that encoding/json takes are taken, but for text that is not UTF-8, and
// written again they mean the same.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1,"b":[true,false,null,-0.5e+10,"\u00e9\n"],"c":{"d":{}}}`, ` {"a" : "\\" } `, `{"a":1,"a":2}`, `[1]`, `{"é":0}`, "{\"a\":\"\x00\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var expected map[string]any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		valid := json.Valid(text) && decoder.Decode(&expected) == nil && expected != nil && utf8.Valid(text)
		object, err := ParseObject(text)
		if valid != (err == nil) {
			t.Fatalf("expected valid %v, got %v", valid, err)
		}
		if !valid {
			return
		}
		var got map[string]any
		decoder = json.NewDecoder(bytes.NewReader(object.JSON()))
		decoder.UseNumber()
		if err := decoder.Decode(&got); err != nil || !reflect.DeepEqual(expected, got) {
			t.Fatalf("expected %v, got %v %v", expected, got, err)
		}
		for name, value := range got {
			if object.Get(name) == nil {
				t.Fatalf("expected field %q with %v", name, value)
			}
		}
	})
}
