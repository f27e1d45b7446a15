//go:build !wasip1

package cdpplugin

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"
)

// structOf returns a JSON object as a Struct; an integer beyond 2^53, which it would round, is refused.
func structOf(text []byte) (*structpb.Struct, error) {
	if len(text) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]interface{}
	if err := decoder.Decode(&object); err != nil {
		return nil, PluginError{
			Message: "expected metadata to be a JSON object", Code: CodePayloadInvalid, Err: err,
		}
	}
	for key, value := range object {
		small, err := refuseLarge(key, value)
		if err != nil {
			return nil, err
		}
		object[key] = small
	}
	return structpb.NewStruct(object)
}

func refuseLarge(key string, value interface{}) (interface{}, error) {
	var err error
	switch value := value.(type) {
	case json.Number:
		if isLarge(value) {
			return nil, PluginError{
				Message: fmt.Sprintf("metadata `%s` holds %s, expected an integer of at most 2^53 in a single call", key, value),
				Code:    CodeNumberTooLarge,
				Hint:    "write it as text",
			}
		}
		return value.Float64()
	case map[string]interface{}:
		for name, entry := range value {
			if value[name], err = refuseLarge(key, entry); err != nil {
				return nil, err
			}
		}
	case []interface{}:
		for at, entry := range value {
			if value[at], err = refuseLarge(key, entry); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}
