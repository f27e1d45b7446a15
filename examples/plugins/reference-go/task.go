package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// task is what a payload asks for.
type task struct {
	wish
	Do          string                 `json:"do"`
	Reason      *string                `json:"reason"`
	Count       int                    `json:"count"`
	IDs         bool                   `json:"ids"`
	ID          *string                `json:"id"`
	Type        *string                `json:"type"`
	ContentType *string                `json:"content_type"`
	TraceID     *string                `json:"trace_id"`
	Source      *cdpplugin.SourceInfo  `json:"source"`
	Set         map[string]interface{} `json:"set"`
	SizeBytes   int                    `json:"size_bytes"`
	Status      cdpplugin.Status       `json:"status"`
	Lines       int                    `json:"lines"`
	Seconds     float64                `json:"seconds"`
}

// work does what the payload asks for; what asks for nothing passes.
func (p *processor) work(message cdpplugin.Message) ([]cdpplugin.Message, error) {
	if !json.Valid(message.Payload) {
		return nil, cdpplugin.PluginError{Message: "expected JSON, got something else", Code: cdpplugin.CodePayloadInvalid}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(message.Payload, &fields) != nil || fields["do"] == nil {
		return []cdpplugin.Message{message}, nil
	}
	wanted, err := taskOf(message.Payload)
	if err != nil {
		return nil, err
	}
	if isInstruction(wanted.Do) {
		return nil, instruct(wanted.Do, wanted.wish)
	}
	return p.do(message, wanted)
}

// taskOf reads a payload; its numbers keep their digits.
func taskOf(payload []byte) (task, error) {
	var wanted task
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	err := decoder.Decode(&wanted)
	return wanted, err
}

func (p *processor) do(message cdpplugin.Message, wanted task) ([]cdpplugin.Message, error) {
	var payload any
	switch wanted.Do {
	case "echo":
		return []cdpplugin.Message{message}, nil
	case "drop":
		if wanted.Reason != nil {
			return nil, cdpplugin.Drop(*wanted.Reason)
		}
		return nil, nil
	case "many":
		return parts(message, wanted), nil
	case "set":
		return []cdpplugin.Message{changed(message, wanted)}, nil
	case "metadata":
		if wanted.Set == nil {
			wanted.Set = map[string]interface{}{"seen": true}
		}
		for name, value := range wanted.Set {
			message.Metadata[name] = value
		}
		return []cdpplugin.Message{message}, nil
	case "sleep":
		time.Sleep(time.Duration(wanted.Seconds * float64(time.Second)))
		return []cdpplugin.Message{message}, nil
	case "log":
		for line := 0; line < wanted.Lines; line++ {
			slog.Debug("a line of the reference processor", "line", line)
		}
		return []cdpplugin.Message{message}, nil
	case "health":
		p.changeHealth(wanted)
		return []cdpplugin.Message{message}, nil
	case "rewrite":
		payload = rewritten(message.Payload)
	case "big":
		payload = map[string]string{"text": strings.Repeat("x", wanted.SizeBytes)}
	case "describe":
		payload = described(message)
	case "config":
		payload = p.given
	case "context":
		payload = p.context()
	case "count":
		payload = map[string]int{"count": p.counted()}
	default:
		return nil, cdpplugin.PluginError{
			Message: fmt.Sprintf("unknown action `%s`", wanted.Do), Code: "reference.unknown",
		}
	}
	text, err := json.Marshal(payload)
	message.Payload = text
	return []cdpplugin.Message{message}, err
}

func parts(message cdpplugin.Message, wanted task) []cdpplugin.Message {
	outputs := make([]cdpplugin.Message, wanted.Count)
	for index := range outputs {
		outputs[index].Type = "Reference.Part"
		outputs[index].Payload = json.RawMessage(fmt.Sprintf(`{"index":%d}`, index))
		if wanted.IDs {
			outputs[index].ID = fmt.Sprintf("%s/%d", message.ID, index)
		}
	}
	return outputs
}

func changed(message cdpplugin.Message, wanted task) cdpplugin.Message {
	for _, change := range []struct {
		wanted *string
		place  *string
	}{
		{wanted.ID, &message.ID}, {wanted.Type, &message.Type},
		{wanted.ContentType, &message.ContentType}, {wanted.TraceID, &message.TraceID},
	} {
		if change.wanted != nil {
			*change.place = *change.wanted
		}
	}
	if wanted.Source != nil {
		message.Source = *wanted.Source
	}
	return message
}

func rewritten(payload []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		panic(err)
	}
	value["rewritten"] = true
	return value
}

func described(message cdpplugin.Message) any {
	return map[string]any{
		"id": message.ID, "type": message.Type, "metadata": message.Metadata, "source": message.Source,
		"trace_id": message.TraceID, "content_type": message.ContentType,
	}
}

func (p *processor) context() any {
	schemas := p.stage.Schemas
	if schemas == nil {
		schemas = map[string]json.RawMessage{}
	}
	return map[string]any{
		"pipeline": p.stage.Pipeline, "stage": p.stage.Stage, "network": p.stage.Network, "schemas": schemas,
	}
}

func (p *processor) counted() int {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.count++
	return p.count
}

func (p *processor) changeHealth(wanted task) {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.changes++
	details := map[string]interface{}{"changes": p.changes, "é": []interface{}{"text", nil, true}}
	p.status = cdpplugin.HealthStatus{Status: wanted.Status, Message: wanted.Message, Details: details}
}
