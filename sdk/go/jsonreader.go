package cdpplugin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

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

// object reads the outermost object and keeps its fields in into.
func (r *jsonReader) object(into *Object) error {
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
		key, err := r.key()
		if err != nil {
			return err
		}
		start := r.at
		if err := r.value(); err != nil {
			return err
		}
		value := objectSpan{start: uint32(start), end: uint32(r.at)}
		into.fields = append(into.fields, objectField{key, value})
		if more, err := r.more('}'); !more {
			return err
		}
	}
}

// key steps over a name and its colon, up to the value.
func (r *jsonReader) key() (objectSpan, error) {
	start := r.at
	escaped, err := r.string()
	if err != nil {
		return objectSpan{}, err
	}
	key := objectSpan{start: uint32(start), end: uint32(r.at), escaped: escaped}
	r.space()
	if r.peek() != ':' {
		return key, r.fault()
	}
	r.at++
	r.space()
	return key, nil
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

func (r *jsonReader) value() error {
	if character := r.peek(); character == '{' || character == '[' {
		return r.nested()
	}
	return r.scalar()
}

// nested steps over an object or an array. What is open within it is kept here and not on the stack
// of calls, of which WebAssembly has little.
func (r *jsonReader) nested() error {
	var few [16]byte
	open, more, err := few[:0], false, error(nil)
	for {
		if open, more, err = r.enter(open); err == nil && !more {
			open, more, err = r.leave(open)
		}
		if err != nil || !more {
			return err
		}
		r.space()
		if open[len(open)-1] == '}' {
			if _, err := r.key(); err != nil {
				return err
			}
		}
	}
}

// enter steps into an object or an array, of which open keeps the end, or over any other value; it
// tells whether a member follows.
func (r *jsonReader) enter(open []byte) ([]byte, bool, error) {
	begin := r.peek()
	if begin != '{' && begin != '[' {
		return open, false, r.scalar()
	}
	if len(open) == deepest-1 {
		return open, false, errors.New("the values are nested too deeply")
	}
	end := begin + 2 // as ASCII has them
	r.at++
	r.space()
	if r.peek() == end {
		r.at++
		return open, false, nil
	}
	return append(open, end), true, nil
}

// leave steps out of all that ends here, and tells whether a member follows.
func (r *jsonReader) leave(open []byte) ([]byte, bool, error) {
	for len(open) > 0 {
		if more, err := r.more(open[len(open)-1]); more || err != nil {
			return open, more, err
		}
		open = open[:len(open)-1]
	}
	return open, false, nil
}

func (r *jsonReader) scalar() error {
	switch r.peek() {
	case '"':
		_, err := r.string()
		return err
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	}
	return r.number()
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
