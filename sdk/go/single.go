package cdpplugin

import (
	"encoding/json"
)

// readMessage returns one message, a JSON object as in spec/wasm-abi.md section 4, as a batch of one
// row. Its payload keeps its text.
func readMessage(text []byte, encoding Encoding) (*Batch, error) {
	var message struct {
		ID          string          `json:"id"`
		Type        string          `json:"type"`
		Payload     json.RawMessage `json:"payload"`
		Metadata    json.RawMessage `json:"metadata"`
		Source      SourceInfo      `json:"source"`
		TraceID     string          `json:"trace_id"`
		ContentType string          `json:"content_type"`
	}
	if err := json.Unmarshal(text, &message); err != nil {
		return nil, PluginError{Message: "the message cannot be read", Code: CodeBatchInvalid, Err: err}
	}
	if message.ContentType == ContentTypeJSON {
		message.ContentType = ""
	}
	return &Batch{
		Rows: 1, IDs: []string{message.ID}, Types: []string{message.Type},
		Payloads: [][]byte{message.Payload}, Metadata: [][]byte{message.Metadata},
		Sources: []SourceInfo{message.Source}, TraceIDs: []string{message.TraceID},
		ContentTypes: []string{message.ContentType}, Encoding: Encoding(or(string(encoding), string(EncodingJSON))),
	}, nil
}

// singleJSON returns the outputs of one message, which were checked, as the ABI writes them: nothing,
// an object, or an array of objects.
func singleJSON(outputs *Outputs) (answerStatus, []byte) {
	var batch *Batch
	if outputs != nil {
		batch = outputs.Batch
	}
	rows := batch.Len()
	if rows == 0 {
		return withoutOutput(outputs)
	}
	var text []byte
	var err error
	for row := 0; row < rows; row++ {
		text = append(text, ',')
		if text, err = appendOutput(text, batch, row); err != nil {
			return failed(err)
		}
	}
	if rows == 1 {
		return statusOK, text[1:]
	}
	text[0] = '['
	return statusOK, append(text, ']')
}

// withoutOutput says why there is none, where the plugin has said so.
func withoutOutput(outputs *Outputs) (answerStatus, []byte) {
	if outputs != nil {
		for reason := range outputs.Dropped {
			return statusDropped, []byte(valid(reason))
		}
	}
	return statusOK, nil
}

// appendOutput writes one output with all its members: what is left out would be that of the input.
func appendOutput(text []byte, batch *Batch, row int) ([]byte, error) {
	payload, metadata, source := batch.payload(row), batch.Metadata.At(row), batch.Sources.At(row)
	if !json.Valid(payload) {
		return nil, outputInvalid("expected the payload of an output to be JSON, got something else")
	}
	if len(metadata) == 0 {
		metadata = []byte("{}")
	} else if _, err := decodeMetadata(metadata); err != nil {
		return nil, err
	}
	text = append(text, '{')
	for _, member := range []struct{ name, value string }{
		{"id", batch.IDs.At(row)}, {"type", batch.Types.At(row)}, {"trace_id", batch.TraceIDs.At(row)},
		{"content_type", or(batch.ContentTypes.At(row), ContentTypeJSON)},
	} {
		text = append(append(append(text, '"'), member.name...), `":`...)
		text = append(append(text, jsonOf(member.value)...), ',')
	}
	text = append(append(text, `"payload":`...), payload...)
	text = append(append(text, `,"metadata":`...), metadata...)
	text = append(append(text, `,"source":`...), jsonOf(source)...)
	return append(text, '}'), nil
}
