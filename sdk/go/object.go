package cdpplugin

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// CodePayloadInvalid is the code of a payload that is not the JSON object it should be.
const CodePayloadInvalid = "message.payload_invalid"

// Object is a JSON object whose fields are read and changed one by one: what is left alone is
// never decoded, keeps its digits and its order, and is written as it came. For a plugin that
// reads a field and adds one, it is several times faster than a map or a struct.
//
//	object, err := cdpplugin.ParseObject(message.Payload)
//	if err != nil {
//		return cdpplugin.Message{}, err
//	}
//	object.Set("processed", true)
//	message.Payload = object.JSON()
type Object struct {
	text   []byte
	added  []byte
	fields []objectField
}

type objectField struct {
	// key is the name as it is written, with its quotes.
	key, value objectSpan
}

// objectSpan is a piece of the object's text, or of what was added to it.
type objectSpan struct {
	start, end uint32
	added      bool
	// escaped tells whether a key is written with escapes.
	escaped bool
}

// objectRoom is what has room from the start: fields, and bytes that are added.
type objectRoom struct {
	fields [8]objectField
	added  [64]byte
}

var errObject = errors.New("expected a JSON object")

// ParseObject reads text, the whole of which must be valid JSON. The object shares its memory.
// Its error has the code [CodePayloadInvalid].
func ParseObject(text []byte) (Object, error) {
	if uint64(len(text)) > math.MaxUint32/2 {
		return Object{}, invalidPayload(errors.New("the text is too long"))
	}
	room := new(objectRoom)
	object := Object{text: text, fields: room.fields[:0], added: room.added[:0]}
	reader := jsonReader{text: text}
	if err := reader.object(&object, 0); err != nil {
		return Object{}, invalidPayload(err)
	}
	reader.space()
	if reader.at != len(text) {
		return Object{}, invalidPayload(reader.fault())
	}
	return object, nil
}

func invalidPayload(err error) error {
	return PluginError{Message: "the payload is not a JSON object", Code: CodePayloadInvalid, Err: err}
}

// Len returns the number of fields.
func (o *Object) Len() int { return len(o.fields) }

// Get returns the text of a field, or nil where there is none. Of several fields of one name the
// last counts.
func (o *Object) Get(name string) json.RawMessage {
	if at := o.find(name); at >= 0 {
		return o.bytes(o.fields[at].value)
	}
	return nil
}

func (o *Object) bytes(span objectSpan) []byte {
	if span.added {
		return o.added[span.start:span.end:span.end]
	}
	return o.text[span.start:span.end:span.end]
}

// Text returns a field that is a string, and whether it is one.
func (o *Object) Text(name string) (string, bool) {
	value := o.Get(name)
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	var text string
	return text, json.Unmarshal(value, &text) == nil
}

// Int64 returns a field that is a whole number within range, and whether it is one.
func (o *Object) Int64(name string) (int64, bool) {
	number, err := strconv.ParseInt(string(o.Get(name)), 10, 64)
	return number, err == nil
}

// Decode reads a field into a pointer, as encoding/json does; without the field it does nothing.
func (o *Object) Decode(name string, into any) error {
	value := o.Get(name)
	if value == nil {
		return nil
	}
	if err := json.Unmarshal(value, into); err != nil {
		return PluginError{Message: "field `" + name + "`", Code: CodePayloadInvalid, Err: err}
	}
	return nil
}

// Set puts a value in place of a field, or at the end. It fails where the value cannot be written
// as JSON, and then changes nothing. A json.RawMessage is taken as it is.
func (o *Object) Set(name string, value any) error {
	span, err := o.add(value)
	if err != nil {
		return PluginError{Message: "field `" + name + "` cannot be written as JSON", Code: CodePayloadInvalid, Err: err}
	}
	if at := o.find(name); at >= 0 {
		o.fields[at].value = span
		return nil
	}
	key, err := o.addKey(name)
	o.fields = append(o.fields, objectField{key, span})
	return err
}

// add writes a value behind what was added before.
func (o *Object) add(value any) (objectSpan, error) {
	added, err := o.added, error(nil)
	if text, raw := value.(json.RawMessage); raw {
		added = append(added, text...)
	} else if added, err = appendJSON(added, value); err != nil {
		return objectSpan{}, err
	}
	return o.addedTo(added)
}

func (o *Object) addKey(name string) (objectSpan, error) {
	if !plain(name) {
		key, err := o.add(name)
		key.escaped = bytes.IndexByte(o.bytes(key), '\\') >= 0
		return key, err
	}
	return o.addedTo(append(append(append(o.added, '"'), name...), '"'))
}

// addedTo takes what was added as longer, and returns the new piece of it.
func (o *Object) addedTo(added []byte) (objectSpan, error) {
	if uint64(len(added)) > math.MaxUint32 {
		return objectSpan{}, errors.New("the text is too long")
	}
	start := len(o.added)
	o.added = added
	return objectSpan{start: uint32(start), end: uint32(len(added)), added: true}, nil
}

// Delete removes the fields of a name.
func (o *Object) Delete(name string) {
	for at := o.find(name); at >= 0; at = o.find(name) {
		o.fields = append(o.fields[:at], o.fields[at+1:]...)
	}
}

// JSON returns the object as JSON, in memory of its own.
func (o *Object) JSON() json.RawMessage {
	size := 2
	for at := range o.fields {
		key, value := &o.fields[at].key, &o.fields[at].value
		size += int(key.end-key.start) + int(value.end-value.start) + 2
	}
	text := append(make([]byte, 0, size), '{')
	for at := 0; at < len(o.fields); {
		if at > 0 {
			text = append(text, ',')
		}
		if next := o.untouched(at); next > at {
			text = append(text, o.text[o.fields[at].key.start:o.fields[next-1].value.end]...)
			at = next
			continue
		}
		text = append(text, o.bytes(o.fields[at].key)...)
		text = append(text, ':')
		text = append(text, o.bytes(o.fields[at].value)...)
		at++
	}
	return append(text, '}')
}

// untouched returns the field before which a run of fields ends that begins with field at and stands
// in the text as JSON would write it, with nothing between: it is copied as a whole.
func (o *Object) untouched(at int) int {
	for ; at < len(o.fields); at++ {
		key, value := &o.fields[at].key, &o.fields[at].value
		if key.added || value.added || value.start != key.end+1 {
			return at
		}
		if next := at + 1; next == len(o.fields) || o.fields[next].key.added || o.fields[next].key.start != value.end+1 {
			return next
		}
	}
	return at
}

func (o *Object) find(name string) int {
	for at := len(o.fields) - 1; at >= 0; at-- {
		key := o.bytes(o.fields[at].key)
		if !o.fields[at].key.escaped {
			if string(key[1:len(key)-1]) == name {
				return at
			}
			continue
		}
		var written string
		if json.Unmarshal(key, &written) == nil && written == name {
			return at
		}
	}
	return -1
}

// deepest is how far values may be nested, as in encoding/json.
const deepest = 10_000

// jsonReader walks over JSON text (RFC 8259) and checks it.
type jsonReader struct {
	text []byte
	at   int
}

func (r *jsonReader) fault() error {
	if r.at >= len(r.text) {
		return errors.New("the text ends too early")
	}
	return fmt.Errorf("unexpected %q at byte %d", r.text[r.at], r.at)
}

// peek returns the character at hand, or 0 at the end (where 0 itself is no JSON).
func (r *jsonReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *jsonReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\n', '\t', '\r':
			r.at++
		default:
			return
		}
	}
}

// object reads an object; its fields are kept in into, unless it is nil.
func (r *jsonReader) object(into *Object, depth int) error {
	r.space()
	if r.peek() != '{' {
		return errObject
	}
	r.at++
	r.space()
	if r.peek() == '}' {
		r.at++
		return nil
	}
	for {
		r.space()
		start := r.at
		escaped, err := r.string()
		if err != nil {
			return err
		}
		key := objectSpan{start: uint32(start), end: uint32(r.at), escaped: escaped}
		r.space()
		if r.peek() != ':' {
			return r.fault()
		}
		r.at++
		r.space()
		start = r.at
		if err := r.value(depth + 1); err != nil {
			return err
		}
		if into != nil {
			value := objectSpan{start: uint32(start), end: uint32(r.at)}
			into.fields = append(into.fields, objectField{key, value})
		}
		if more, err := r.more('}'); !more {
			return err
		}
	}
}

// more steps over a comma, or over the end of an array or object.
func (r *jsonReader) more(end byte) (bool, error) {
	r.space()
	switch r.peek() {
	case ',':
		r.at++
		return true, nil
	case end:
		r.at++
		return false, nil
	}
	return false, r.fault()
}

func (r *jsonReader) value(depth int) error {
	if depth > deepest {
		return errors.New("the values are nested too deeply")
	}
	switch character := r.peek(); character {
	case '"':
		_, err := r.string()
		return err
	case '{':
		return r.object(nil, depth)
	case '[':
		return r.array(depth)
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	default:
		return r.number()
	}
}

func (r *jsonReader) array(depth int) error {
	r.at++
	r.space()
	if r.peek() == ']' {
		r.at++
		return nil
	}
	for {
		r.space()
		if err := r.value(depth + 1); err != nil {
			return err
		}
		if more, err := r.more(']'); !more {
			return err
		}
	}
}

func (r *jsonReader) word(word string) error {
	if end := r.at + len(word); end <= len(r.text) && string(r.text[r.at:end]) == word {
		r.at = end
		return nil
	}
	return r.fault()
}

func (r *jsonReader) number() error {
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else if !r.digits() {
		return r.fault()
	}
	if r.peek() == '.' {
		r.at++
		if !r.digits() {
			return r.fault()
		}
	}
	if character := r.peek(); character == 'e' || character == 'E' {
		r.at++
		if sign := r.peek(); sign == '+' || sign == '-' {
			r.at++
		}
		if !r.digits() {
			return r.fault()
		}
	}
	return nil
}

func (r *jsonReader) digits() bool {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

// string reads a string and tells whether it holds escapes.
func (r *jsonReader) string() (escaped bool, err error) {
	if r.peek() != '"' {
		return false, r.fault()
	}
	text, at := r.text, r.at+1
	start, ascii := at, true
	for at < len(text) {
		if len(text)-at >= 8 {
			plain := plainCharacters(binary.LittleEndian.Uint64(text[at:]))
			if at += plain; plain == 8 {
				continue
			}
		}
		character := text[at]
		switch {
		case character == '"':
			r.at = at + 1
			if !ascii && !utf8.Valid(text[start:at]) {
				return escaped, errors.New("a string is not UTF-8")
			}
			return escaped, nil
		case character == '\\':
			size := escapeSize(text[at:])
			if size == 0 {
				r.at = at
				return escaped, r.fault()
			}
			escaped = true
			at += size
		case character < ' ':
			r.at = at
			return escaped, r.fault()
		default:
			ascii = ascii && character < utf8.RuneSelf
			at++
		}
	}
	r.at = len(text)
	return escaped, r.fault()
}

// plainCharacters returns how many of eight characters come before one that is a quote, a backslash, a
// control character or beyond ASCII, all of which a string has to be read one by one for.
func plainCharacters(eight uint64) int {
	const each, top = 0x0101010101010101, 0x8080808080808080
	quote, backslash := eight^each*'"', eight^each*'\\'
	// A subtraction borrows from the next character only where this one is special itself, so the
	// first that is found is the first there is.
	special := (quote-each)&^quote | (backslash-each)&^backslash | (eight-each*' ')&^eight | eight
	return bits.TrailingZeros64(special&top) / 8
}

// escapeSize returns the length of the escape that text begins with, or 0 where it is none.
func escapeSize(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) < 6 {
			return 0
		}
		for _, digit := range text[2:6] {
			if !(digit >= '0' && digit <= '9' || digit >= 'a' && digit <= 'f' || digit >= 'A' && digit <= 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}
