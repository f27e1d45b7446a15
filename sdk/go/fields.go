package cdpplugin

import (
	"errors"
	"math/bits"
)

// Kinds of protobuf fields.
const (
	kindVarint  = 0
	kindFixed64 = 1
	kindBytes   = 2
	kindFixed32 = 5
)

var errWire = errors.New("the bytes are no protobuf message")

// fieldReader walks over the fields of a protobuf message, with nothing but the standard library:
// a WebAssembly guest is small and starts at once.
type fieldReader struct {
	data []byte
	at   int
	// field and kind are those of the field at hand.
	field, kind int
	// value is its bytes, where it is length-delimited. They share the message's memory; their
	// capacity ends with them, so that whoever appends to them writes elsewhere.
	value []byte
	// number is its number, where it is a varint.
	number uint64
	failed bool
}

// next steps to the next field; false at the end, and where the bytes make no sense (see err).
func (r *fieldReader) next() bool {
	if r.at >= len(r.data) {
		return false
	}
	tag := r.varint()
	r.field, r.kind = int(tag>>3), int(tag&7)
	if r.field == 0 || tag>>3 > 1<<29-1 {
		r.failed = true
	}
	switch r.kind {
	case kindVarint:
		r.number = r.varint()
	case kindBytes:
		size := r.varint()
		if size > uint64(len(r.data)-r.at) {
			r.failed = true
			return false
		}
		end := r.at + int(size)
		r.value = r.data[r.at:end:end]
		r.at = end
	case kindFixed64:
		r.at += 8
	case kindFixed32:
		r.at += 4
	default: // groups are in no message of the contract
		r.failed = true
	}
	return !r.failed && r.at <= len(r.data)
}

// err tells whether the walk ended before its end.
func (r *fieldReader) err() error {
	if r.failed || r.at > len(r.data) {
		return errWire
	}
	return nil
}

func (r *fieldReader) varint() uint64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	return r.longVarint()
}

func (r *fieldReader) longVarint() uint64 {
	var number uint64
	for shift := 0; r.at < len(r.data) && shift < 64; shift += 7 {
		digit := r.data[r.at]
		r.at++
		if shift == 63 && digit > 1 {
			break
		}
		number |= uint64(digit&0x7f) << shift
		if digit < 0x80 {
			return number
		}
	}
	r.failed = true
	return 0
}

// appendVarint writes a number of a field, or a size.
func appendVarint(data []byte, number uint64) []byte {
	for number >= 0x80 {
		data = append(data, byte(number)|0x80)
		number >>= 7
	}
	return append(data, byte(number))
}

func varintSize(number uint64) int {
	return (bits.Len64(number|1) + 6) / 7
}

// appendNumber writes a field that is a number, unless it is 0.
func appendNumber(data []byte, field int, number uint64) []byte {
	if number == 0 {
		return data
	}
	return appendVarint(append(data, byte(field<<3|kindVarint)), number)
}

// appendField writes a field that is text or bytes, also an empty one: an entry of a repeated field.
func appendField[T string | []byte](data []byte, field int, entry T) []byte {
	data = appendVarint(append(data, byte(field<<3|kindBytes)), uint64(len(entry)))
	return append(data, entry...)
}

// appendFilled writes a field that is text or bytes, unless it is empty.
func appendFilled[T string | []byte](data []byte, field int, text T) []byte {
	if len(text) == 0 {
		return data
	}
	return appendField(data, field, text)
}

// appendMessage writes a field that is a message, which write appends.
func appendMessage(data []byte, field int, write func([]byte) []byte) []byte {
	start := len(data) + 1
	data = write(append(data, byte(field<<3|kindBytes), 0))
	size := len(data) - start - 1
	if more := varintSize(uint64(size)) - 1; more > 0 {
		data = append(data, make([]byte, more)...)
		copy(data[start+1+more:], data[start+1:start+1+size])
	}
	appendVarint(data[:start], uint64(size))
	return data
}
