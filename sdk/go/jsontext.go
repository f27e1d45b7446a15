package cdpplugin

import (
	"bytes"
	"encoding/json"
	"math"
	"sort"
	"strconv"
)

// largestExact is the largest whole number up to which a float64 skips none: 2^53.
const largestExact = 1 << 53

// decodeMetadata returns the object that text stands for, never nil. An integer that a float64
// could round stays a json.Number.
func decodeMetadata(text []byte) (map[string]interface{}, error) {
	if len(text) == 0 || string(text) == "{}" {
		return map[string]interface{}{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]interface{}
	if err := decoder.Decode(&object); err != nil {
		return nil, PluginError{
			Message: "expected metadata to be a JSON object", Code: CodePayloadInvalid, Err: err,
		}
	}
	if object == nil {
		return map[string]interface{}{}, nil
	}
	for key, value := range object {
		object[key] = exact(value)
	}
	return object, nil
}

// exact turns each json.Number into a float64, where that loses nothing an integer holds.
func exact(value interface{}) interface{} {
	switch value := value.(type) {
	case json.Number:
		if number, err := value.Float64(); err == nil && !isLarge(value) {
			return number
		}
	case map[string]interface{}:
		for key, entry := range value {
			value[key] = exact(entry)
		}
	case []interface{}:
		for at, entry := range value {
			value[at] = exact(entry)
		}
	}
	return value
}

// isLarge tells whether number is written as an integer beyond 2^53.
func isLarge(number json.Number) bool {
	for _, character := range []byte(number) {
		if (character < '0' || character > '9') && character != '-' {
			return false
		}
	}
	whole, err := number.Int64()
	return err != nil || whole > largestExact || whole < -largestExact
}

// encodeMetadata returns object as JSON with sorted keys; nil stands for an empty object.
func encodeMetadata(object map[string]interface{}) ([]byte, error) {
	if len(object) == 0 {
		return nil, nil
	}
	text, err := appendJSON(make([]byte, 0, 128), object)
	if err != nil {
		return nil, PluginError{
			Message: "the metadata cannot be written as JSON", Code: CodePayloadInvalid, Err: err,
			Hint: "use plain numbers, strings, slices and maps with string keys",
		}
	}
	return text, nil
}

// appendJSON writes what metadata mostly hold without reflection, and the rest as encoding/json does.
func appendJSON(text []byte, value interface{}) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return append(text, "null"...), nil
	case bool:
		return strconv.AppendBool(text, value), nil
	case int:
		return strconv.AppendInt(text, int64(value), 10), nil
	case int64:
		return strconv.AppendInt(text, value, 10), nil
	case string:
		if plain(value) {
			return append(append(append(text, '"'), value...), '"'), nil
		}
	case float64:
		if math.Abs(value) > largestExact && !math.IsInf(value, 0) {
			// An exponent keeps it a float for readers who tell the two apart.
			return strconv.AppendFloat(text, value, 'e', -1, 64), nil
		}
	case map[string]interface{}:
		return appendObject(text, value)
	}
	encoded, err := json.Marshal(value)
	return append(text, encoded...), err
}

func appendObject(text []byte, object map[string]interface{}) ([]byte, error) {
	if object == nil {
		return append(text, "null"...), nil
	}
	var few [8]string
	keys := few[:0]
	for key := range object {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	text = append(text, '{')
	var err error
	for at, key := range keys {
		if at > 0 {
			text = append(text, ',')
		}
		if text, err = appendJSON(text, key); err != nil {
			return nil, err
		}
		if text, err = appendJSON(append(text, ':'), object[key]); err != nil {
			return nil, err
		}
	}
	return append(text, '}'), nil
}

// plain tells whether text is its own JSON form between quotes.
func plain(text string) bool {
	for at := 0; at < len(text); at++ {
		if c := text[at]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
