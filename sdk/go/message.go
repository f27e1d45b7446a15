package cdpplugin

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
)

// ContentTypeJSON is the media type of a payload that names none.
const ContentTypeJSON = "application/json"

// Message is a message: an id, a type, a payload and metadata.
//
// A message handed to a plugin is its own to change. Its payload shares memory with the batch it
// came in: clone what is kept after the call (bytes.Clone).
type Message struct {
	// ID is unique and deterministic. Left empty in an output, the host derives it from the
	// input's id, the stage and the output's index, so that a replay gives the same id.
	ID string `json:"id"`
	// Type is the kind of payload it carries, e.g. "LedgerCloseMeta".
	Type string `json:"type"`
	// Payload is JSON text, unless the plugin's InputEncoding asks for another form. Nil stands
	// for null in an output.
	Payload json.RawMessage `json:"payload"`
	// Metadata is a JSON object. A number is a float64; an integer beyond 2^53, which a float64
	// would round, is a json.Number. Never nil in an input.
	Metadata map[string]interface{} `json:"metadata"`
	// Source is where it came from.
	Source SourceInfo `json:"source"`
	// TraceID is a trace id, or empty.
	TraceID string `json:"trace_id"`
	// ContentType is the media type of the payload; empty means ContentTypeJSON.
	ContentType string `json:"content_type,omitempty"`
}

// nothing tells whether the message stands for "dropped": no id, no type, no payload.
func (m *Message) nothing() bool {
	return m.ID == "" && m.Type == "" && len(m.Payload) == 0
}

// GenerateID returns a new random id (a version 4 UUID).
//
// Outputs are better left without an id: the host then derives one that stays the same when a
// message is replayed, so that consumers that keep rows by id do not double them.
func GenerateID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: it ends the program where there is no randomness
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
