package cdpplugin

import (
	"bytes"
	"context"
	"encoding/json"
)

// CodeKindUnsupported is the code of a plugin that cannot be what it is as WebAssembly.
const CodeKindUnsupported = "plugin.kind_unsupported"

// abi is the version of spec/wasm-abi.md that this SDK speaks.
const abi = 1

// keptBytes is how large memory for inputs and answers may be that is kept for the next call.
const keptBytes = 4 << 20

// answerStatus is how a call ended, see spec/wasm-abi.md section 6.
type answerStatus uint32

const (
	statusOK answerStatus = iota
	statusDropped
	statusRetry
	statusError
	statusFatal
	statusInvalid
)

// guest answers the calls that a host makes of a WebAssembly plugin, see spec/wasm-abi.md. They come
// one at a time.
type guest struct {
	plugin   Plugin
	metadata PluginMetadata
	settings settings
	started  bool
	// buffer holds the last answer to a batch, and has room for the next one.
	buffer []byte
}

// messageConsumer is a consumer that takes one message after another, and holds nothing back.
type messageConsumer interface {
	consumeEach(ctx context.Context, batch *Batch) (dropped map[string]int, err error)
}

func newGuest(plugin Plugin, options []Option) (*guest, error) {
	metadata, err := plugin.Metadata().checked(plugin)
	if err != nil {
		return nil, err
	}
	_, takesMessages := plugin.(messageConsumer)
	switch metadata.Type {
	case PluginTypeSource:
		return nil, unsupported(metadata, "a source cannot be a WebAssembly plugin, which is called and never waits")
	case PluginTypeConsumer:
		if !takesMessages {
			return nil, unsupported(metadata, "a consumer with positions of its own cannot be a WebAssembly plugin, which is told of none")
		}
	}
	chosen, err := settingsOf(metadata, options)
	if err != nil {
		return nil, err
	}
	return &guest{plugin: plugin, metadata: metadata, settings: chosen}, nil
}

func unsupported(metadata PluginMetadata, why string) error {
	return PluginError{
		Message: "`" + metadata.Name + "`: " + why, Code: CodeKindUnsupported,
		Hint: "build it without GOOS=wasip1, to run in a process of its own",
	}
}

// failed returns the answer for an error of which nothing is said but what it says itself.
func failed(err error) (answerStatus, []byte) {
	told := reportOf(err)
	switch told.instruction {
	case instructionDrop:
		return statusDropped, []byte(told.message)
	case instructionRetry:
		return statusRetry, told.json()
	case instructionFatal:
		return statusFatal, told.json()
	}
	return statusError, told.json()
}

// json returns the report as an error is written in the ABI.
func (r errorReport) json() []byte {
	return jsonOf(struct {
		Code        string  `json:"code"`
		Message     string  `json:"message"`
		Hint        string  `json:"hint,omitempty"`
		RetryAfterS float64 `json:"retry_after_s,omitempty"`
	}{r.code, r.message, r.hint, r.after.Seconds()})
}

// jsonOf returns value, which holds nothing that JSON does not have, as JSON.
func jsonOf(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// done returns the answer of a call that gives nothing.
func done(err error) (answerStatus, []byte) {
	if err != nil {
		return failed(err)
	}
	return statusOK, nil
}

// describe says who the plugin is.
func (g *guest) describe() (answerStatus, []byte) {
	m := g.metadata
	said := struct {
		Name          string                     `json:"name"`
		Version       string                     `json:"version"`
		Type          PluginType                 `json:"type"`
		Description   string                     `json:"description,omitempty"`
		Author        string                     `json:"author,omitempty"`
		License       string                     `json:"license,omitempty"`
		InputTypes    []string                   `json:"input_types,omitempty"`
		OutputTypes   []string                   `json:"output_types,omitempty"`
		ConfigSchema  json.RawMessage            `json:"config_schema,omitempty"`
		OutputSchema  map[string]json.RawMessage `json:"output_schema,omitempty"`
		InputEncoding Encoding                   `json:"input_encoding,omitempty"`
		Stateful      bool                       `json:"stateful,omitempty"`
		Resources     *ResourceRequirements      `json:"resources,omitempty"`
		SDK           string                     `json:"sdk"`
		ABI           int                        `json:"abi"`
	}{
		m.Name, m.Version, m.Type, m.Description, m.Author, m.License, m.InputTypes, m.OutputTypes,
		m.ConfigSchema, m.OutputSchema, m.InputEncoding, m.Stateful, nil, "go/" + Version, abi,
	}
	if m.Resources != (ResourceRequirements{}) {
		said.Resources = &m.Resources
	}
	return statusOK, jsonOf(said)
}

// configure hands over the configuration; whatever the plugin returns refuses it.
func (g *guest) configure(text []byte) (answerStatus, []byte) {
	config := json.RawMessage(text)
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	err := guard(func() error { return g.settings.configuring(g.plugin)(context.Background(), config) })
	if err == nil {
		return statusOK, nil
	}
	status, text := failed(err)
	if status == statusError || status == statusDropped {
		return statusInvalid, reportOf(err).json()
	}
	return status, text
}

// start opens what the plugin needs.
func (g *guest) start(text []byte) (answerStatus, []byte) {
	g.started = true
	return done(guard(func() error {
		var told struct {
			Pipeline string                     `json:"pipeline"`
			Stage    string                     `json:"stage"`
			Network  string                     `json:"network"`
			Schemas  map[string]json.RawMessage `json:"schemas"`
		}
		if err := json.Unmarshal(text, &told); err != nil {
			return PluginError{Message: "the context of the start is no JSON object", Err: err}
		}
		if told.Schemas == nil {
			told.Schemas = map[string]json.RawMessage{}
		}
		return g.settings.starting(g.plugin)(context.Background(), StageContext(told))
	}))
}

// stop closes what start opened, once.
func (g *guest) stop() (answerStatus, []byte) {
	if !g.started {
		return statusOK, nil
	}
	g.started = false
	return done(guard(func() error { return g.settings.stopping(g.plugin)(context.Background()) }))
}

// health says how the plugin is.
func (g *guest) health() (answerStatus, []byte) {
	var health HealthStatus
	err := guard(func() error {
		health = g.settings.healthOf(g.plugin)(context.Background())
		return nil
	})
	if err != nil {
		health = HealthStatus{Status: Unhealthy, Message: err.Error()}
	}
	details, err := encodeMetadata(health.Details)
	if err != nil {
		details = jsonOf(map[string]string{"details_error": err.Error()})
	}
	return statusOK, jsonOf(struct {
		Status  string          `json:"status"`
		Message string          `json:"message,omitempty"`
		Details json.RawMessage `json:"details,omitempty"`
	}{or(string(health.Status), string(Healthy)), valid(health.Message), details})
}

// exportState returns the plugin's state. Every guest has this call; a plugin that keeps no state has
// none to hand over, which loses something only if it is stateful.
func (g *guest) exportState() (answerStatus, []byte) {
	keeper, keeps := g.plugin.(StateKeeper)
	if !keeps && !g.metadata.Stateful {
		return statusOK, nil
	}
	if !keeps {
		return failed(g.keepsNone())
	}
	var state []byte
	err := guard(func() (err error) {
		state, err = keeper.ExportState(context.Background())
		return err
	})
	if err != nil {
		return failed(err)
	}
	return statusOK, state
}

// importState takes the state of the instance that this one replaces.
func (g *guest) importState(state []byte) (answerStatus, []byte) {
	keeper, keeps := g.plugin.(StateKeeper)
	switch {
	case len(state) == 0:
		return statusOK, nil
	case !keeps:
		return failed(g.keepsNone())
	}
	return done(guard(func() error { return keeper.ImportState(context.Background(), state) }))
}

func (g *guest) keepsNone() error {
	return Fatal{Message: "`" + g.metadata.Name + "` hands over no state", Code: CodeStateUnsupported}
}

// processBatch answers a MessageBatch with a ProcessBatchResponse.
func (g *guest) processBatch(message []byte) (answerStatus, []byte) {
	batch, err := readBatch(message)
	if err != nil {
		return failed(err)
	}
	outputs, err := g.work(batch)
	if err != nil {
		return failed(err)
	}
	if cap(g.buffer) > keptBytes {
		g.buffer = nil
	}
	var answer []byte
	g.buffer, answer, err = appendAnswer(g.buffer, outputs, batch.Len())
	if err != nil {
		return failed(err)
	}
	return statusOK, answer
}

// process answers one message.
func (g *guest) process(text []byte) (answerStatus, []byte) {
	batch, err := readMessage(text, g.metadata.InputEncoding)
	if err != nil {
		return failed(err)
	}
	outputs, err := g.work(batch)
	if err == nil && outputs != nil {
		if err = outputs.check(1); err == nil {
			err = outputs.Errors[0]
		}
	}
	if err != nil {
		return failed(err)
	}
	return singleJSON(outputs)
}

// work has the plugin work on a batch.
func (g *guest) work(batch *Batch) (outputs *Outputs, err error) {
	ctx := context.Background()
	if processor, processes := g.plugin.(Processor); processes {
		return answered(ctx, processor, g.metadata.Stateful, batch)
	}
	outputs = &Outputs{}
	err = guard(func() (err error) {
		outputs.Dropped, err = g.plugin.(messageConsumer).consumeEach(ctx, batch)
		return err
	})
	return outputs, err
}
