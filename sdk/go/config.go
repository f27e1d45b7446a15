package cdpplugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
)

// DecodeConfig reads a configuration into a pointer to a struct, strictly: a key that the struct
// does not have is refused. What the configuration leaves out keeps the value it has in the struct,
// so defaults are set before.
//
// Every error is a [ConfigInvalid] that can be returned from Configure as it is.
func DecodeConfig(config json.RawMessage, into any) error {
	if len(bytes.TrimSpace(config)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, extra := decoder.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("something stands after the configuration's end")
		}
	}
	if err == nil {
		return nil
	}
	return ConfigInvalid{Message: configFault(err), Hint: knownKeys(into), Err: nil}
}

func configFault(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		key := or(kind.Field, "the configuration")
		return "`" + key + "`: expected " + kind.Type.String() + ", got " + kind.Value
	}
	if name, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return "unknown key `" + strings.Trim(name, `"`) + "`"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// knownKeys lists the keys that a struct takes, as a hint.
func knownKeys(into any) string {
	kind := reflect.TypeOf(into)
	for kind != nil && kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if kind == nil || kind.Kind() != reflect.Struct {
		return ""
	}
	var keys []string
	for _, field := range reflect.VisibleFields(kind) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && !field.Anonymous && name != "-" {
			keys = append(keys, "`"+or(name, field.Name)+"`")
		}
	}
	if len(keys) == 0 {
		return "it takes no configuration"
	}
	return "known keys: " + strings.Join(keys, ", ")
}
