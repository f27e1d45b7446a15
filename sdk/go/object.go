package cdpplugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

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
	if err := reader.object(&object); err != nil {
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
