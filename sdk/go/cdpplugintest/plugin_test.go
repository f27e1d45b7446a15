package cdpplugintest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	"github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/cdpplugintest"
)

// settings are the configuration of the plugin under test.
type settings struct {
	Least float64 `json:"least"`
}

// serve is a processor that does what its message says.
func serve(options ...cdpplugin.Option) error {
	chosen := settings{}
	own := []cdpplugin.Option{
		cdpplugin.WithConfigure(func(_ context.Context, config json.RawMessage) error { return cdpplugin.DecodeConfig(config, &chosen) }),
		cdpplugin.WithHealth(func(context.Context) cdpplugin.HealthStatus {
			return cdpplugin.HealthStatus{Status: cdpplugin.Degraded, Message: "slow", Details: map[string]any{"least": chosen.Least}}
		}),
	}
	metadata := cdpplugin.PluginMetadata{Name: "obedient", Version: "1.0.0"}
	return cdpplugin.ServeFlatProcessor(metadata, func(_ context.Context, message cdpplugin.Message) ([]cdpplugin.Message, error) {
		return obey(message, chosen)
	}, append(own, options...)...)
}

func obey(message cdpplugin.Message, chosen settings) ([]cdpplugin.Message, error) {
	switch message.Type {
	case "drop":
		return nil, cdpplugin.Drop("told to")
	case "nothing":
		return nil, nil
	case "retry":
		return nil, cdpplugin.Retry{Message: "later", After: 1500 * time.Millisecond}
	case "fatal":
		return nil, cdpplugin.Fatal{Message: "over", Hint: "start again"}
	case "error":
		return nil, cdpplugin.PluginError{Message: "wrong", Code: "obedient.wrong", Hint: "do it right"}
	case "panic":
		panic("told to")
	case "twice":
		return []cdpplugin.Message{message, message}, nil
	}
	var value struct{ Value float64 }
	if err := json.Unmarshal(message.Payload, &value); err != nil {
		return nil, err
	}
	message.Type, message.ID = "ProcessedData", ""
	message.Metadata["enough"] = value.Value >= chosen.Least
	return []cdpplugin.Message{message}, nil
}

func startTestPlugin(t *testing.T) *cdpplugintest.Plugin {
	return cdpplugintest.StartTestPlugin(t, serve)
}

// What the brief's test calls, under the names that it uses; the SDK itself depends on no library for tests.
type Message = cdpplugin.Message

type checks struct{}

func (checks) NoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (checks) Equal(t *testing.T, expected, got any) {
	t.Helper()
	if !reflect.DeepEqual(expected, got) {
		t.Errorf("expected %v, got %v", expected, got)
	}
}

var assert, require checks

// The brief's unit test passes as it stands there.
func TestPlugin(t *testing.T) {
	// Start test plugin
	plugin := startTestPlugin(t)
	defer plugin.Stop()

	// Create test message
	input := Message{
		Type:    "TestData",
		Payload: json.RawMessage(`{"value": 100}`),
	}

	// Process
	output, err := plugin.Process(context.Background(), input)
	require.NoError(t, err)

	// Verify
	assert.Equal(t, "ProcessedData", output.Type)
}

// A message arrives with all it has, and so does its output; a configuration is text or a value.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	input := Message{
		ID: "a", Type: "TestData", Payload: json.RawMessage(`{"value": 100}`), Metadata: map[string]any{"k": "v"},
		Source: cdpplugin.SourceInfo{Name: "n", Network: "net", URI: "u"}, TraceID: "trace",
	}
	for least, config := range map[bool]any{true: settings{Least: 100}, false: `{"least": 101}`} {
		plugin := cdpplugintest.StartTestPlugin(t, serve, cdpplugintest.WithConfig(config))
		got, err := plugin.Process(context.Background(), input)
		require.NoError(t, err)
		expected := input
		expected.ID, expected.Type, expected.ContentType = "", "ProcessedData", "application/json"
		expected.Metadata = map[string]any{"k": "v", "enough": least}
		assert.Equal(t, expected, got)
	}
}

// Every error of a message comes back as the type that the plugin's function returned.
func TestErrors(t *testing.T) {
	t.Parallel()
	plugin := startTestPlugin(t)
	process := func(kind, payload string) error {
		_, err := plugin.Process(context.Background(), Message{Type: kind, Payload: json.RawMessage(payload)})
		return err
	}
	var drop cdpplugin.Drop
	if err := process("drop", "1"); !errors.As(err, &drop) || drop != "told to" {
		t.Errorf("expected a drop with its reason, got %v", err)
	}
	if err := process("nothing", "1"); !errors.As(err, &drop) || drop != "" {
		t.Errorf("expected a drop, got %v", err)
	}
	var retry cdpplugin.Retry
	if err := process("retry", "1"); !errors.As(err, &retry) || retry.After != 1500*time.Millisecond || retry.Message != "later" {
		t.Errorf("expected a retry, got %v", err)
	}
	var fatal cdpplugin.Fatal
	if err := process("fatal", "1"); !errors.As(err, &fatal) || fatal.Message != "over" || fatal.Hint != "start again" {
		t.Errorf("expected a fatal error, got %v", err)
	}
	for kind, expected := range map[string]cdpplugin.PluginError{
		"error": {Message: "wrong", Code: "obedient.wrong", Hint: "do it right"},
		"panic": {Message: "panic: told to", Code: "plugin.failed"},
		"twice": {Message: "expected one output, got 2", Code: "plugin.output_invalid", Hint: "call ProcessAll, which returns them all"},
	} {
		var got cdpplugin.PluginError
		if err := process(kind, "1"); !errors.As(err, &got) || expected != got {
			t.Errorf("expected %+v, got %+v", expected, got)
		}
	}
	var invalid cdpplugin.PluginError
	if err := process("T", "no JSON"); !errors.As(err, &invalid) || invalid.Code != cdpplugin.CodePayloadInvalid {
		t.Errorf("expected the payload to be refused, got %v", err)
	}
}

// A batch gives outputs, errors and drops by the input that they came of.
func TestProcessAll(t *testing.T) {
	t.Parallel()
	var batch []Message
	for _, kind := range []string{"twice", "drop", "error", "T", "drop", "nothing"} {
		batch = append(batch, Message{ID: kind, Type: kind, Payload: json.RawMessage(`{"value": 1}`)})
	}
	answer, err := startTestPlugin(t).ProcessAll(context.Background(), batch...)
	require.NoError(t, err)
	var types []string
	for _, output := range answer.Outputs {
		types = append(types, output.Type)
	}
	assert.Equal(t, []string{"twice", "twice", "ProcessedData"}, types)
	assert.Equal(t, []int{0, 0, 3}, answer.Rows)
	assert.Equal(t, map[string]int{"told to": 2}, answer.Dropped)
	if len(answer.Errors) != 1 || answer.Errors[2].Error() != "wrong" {
		t.Errorf("got %v", answer.Errors)
	}
	answer, err = startTestPlugin(t).ProcessAll(context.Background())
	if err != nil || len(answer.Outputs) != 0 {
		t.Errorf("expected nothing of nothing, got %v %v", answer, err)
	}
}

// An error of a whole batch is the error of the call.
func TestBatchFails(t *testing.T) {
	t.Parallel()
	plugin := cdpplugintest.StartTestPlugin(t, func(options ...cdpplugin.Option) error {
		return cdpplugin.ServeBatchProcessor(cdpplugin.PluginMetadata{Name: "b", Version: "1.0.0"}, func(context.Context, *cdpplugin.Batch) (*cdpplugin.Outputs, error) {
			return nil, cdpplugin.Retry{Message: "later", After: time.Second}
		}, options...)
	})
	_, err := plugin.ProcessAll(context.Background(), Message{Type: "T"}, Message{Type: "T"})
	var retry cdpplugin.Retry
	if !errors.As(err, &retry) || retry.After != time.Second {
		t.Errorf("expected a retry, got %v", err)
	}
}

// A plugin says how it is.
func TestHealth(t *testing.T) {
	t.Parallel()
	got, err := cdpplugintest.StartTestPlugin(t, serve, cdpplugintest.WithConfig(`{"least":7}`)).Health(context.Background())
	require.NoError(t, err)
	assert.Equal(t, cdpplugin.HealthStatus{Status: "degraded", Message: "slow", Details: map[string]any{"least": 7.0}}, got)
}

// A refused configuration, a start that fails and a plugin that never serves are errors that say why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	_, err := cdpplugintest.TryStartTestPlugin(t, serve, cdpplugintest.WithConfig(`{"last":1}`))
	var invalid cdpplugin.ConfigInvalid
	if !errors.As(err, &invalid) || !strings.Contains(invalid.Message, "last") || invalid.Hint == "" {
		t.Errorf("expected a refusal with a hint, got %v", err)
	}
	stopped := false
	_, err = cdpplugintest.TryStartTestPlugin(t, func(options ...cdpplugin.Option) error {
		return serve(append(options,
			cdpplugin.WithStart(func(_ context.Context, stage cdpplugin.StageContext) error {
				return cdpplugin.Fatal{Message: "no " + stage.Network}
			}),
			cdpplugin.WithStop(func(context.Context) error { stopped = true; return nil }))...)
	}, cdpplugintest.WithStage(cdpplugin.StageContext{Network: "net"}))
	var fatal cdpplugin.Fatal
	if !errors.As(err, &fatal) || fatal.Message != "no net" || !stopped {
		t.Errorf("expected the start to fail and the plugin to be stopped, got %v %v", err, stopped)
	}
	_, err = cdpplugintest.TryStartTestPlugin(t, func(...cdpplugin.Option) error { return errors.New("no plugin here") })
	if err == nil || !strings.Contains(err.Error(), "no plugin here") {
		t.Errorf("expected why it ended, got %v", err)
	}
	_, err = cdpplugintest.TryStartTestPlugin(t, serve, cdpplugintest.WithConfig(func() {}))
	if err == nil {
		t.Error("expected a configuration that is no JSON to be refused")
	}
}

// reporter is a test that only takes down what it is told.
type reporter struct {
	*testing.T
	told []string
}

func (r *reporter) Errorf(format string, arguments ...any) {
	r.told = append(r.told, fmt.Sprintf(format, arguments...))
}

// A plugin is stopped once, and a stop that fails is said.
func TestStop(t *testing.T) {
	t.Parallel()
	stops := 0
	test := &reporter{T: t}
	plugin := cdpplugintest.StartTestPlugin(test, func(options ...cdpplugin.Option) error {
		return serve(append(options, cdpplugin.WithStop(func(context.Context) error {
			stops++
			return errors.New("stuck")
		}))...)
	})
	plugin.Stop()
	plugin.Stop()
	assert.Equal(t, 1, stops)
	if len(test.told) != 1 || !strings.Contains(test.told[0], "stuck") {
		t.Errorf("got %q", test.told)
	}
	if _, err := plugin.Process(context.Background(), Message{Type: "T"}); err == nil {
		t.Error("expected a plugin that was stopped to answer nothing")
	}
}

func serveNumbers(last int) cdpplugintest.ServeFunc {
	return func(options ...cdpplugin.Option) error {
		return cdpplugin.ServeSource(cdpplugin.PluginMetadata{Name: "numbers", Version: "1.0.0"}, func(ctx context.Context, yield func(Message) error) error {
			for number := 1; last == 0 || number <= last; number++ {
				if err := yield(Message{Type: "Number", Payload: json.RawMessage(fmt.Sprint(number))}); err != nil {
					return err
				}
			}
			return nil
		}, options...)
	}
}

func payloads(messages []Message) string {
	var texts []string
	for _, message := range messages {
		texts = append(texts, string(message.Payload))
	}
	return strings.Join(texts, " ")
}

// A source is read as far as is wanted, to its end, and on from a position; one without an end too.
func TestRead(t *testing.T) {
	t.Parallel()
	plugin := cdpplugintest.StartTestPlugin(t, serveNumbers(5))
	some, err := plugin.Read(context.Background(), 2)
	require.NoError(t, err)
	assert.Equal(t, "1 2", payloads(some.Messages))
	assert.Equal(t, []int64{1, 2}, some.Positions)
	rest, err := plugin.ReadAfter(context.Background(), &cdpplugin.Resume{Position: 2, Token: some.Token}, 10)
	require.NoError(t, err)
	assert.Equal(t, "3 4 5", payloads(rest.Messages))
	assert.Equal(t, true, rest.Ended)
	endless, err := cdpplugintest.StartTestPlugin(t, serveNumbers(0)).Read(context.Background(), 1234)
	require.NoError(t, err)
	assert.Equal(t, int64(1234), endless.Positions[1233])
	assert.Equal(t, false, endless.Ended)
}

// A source that fails says so, beside what it gave before.
func TestReadFails(t *testing.T) {
	t.Parallel()
	plugin := cdpplugintest.StartTestPlugin(t, func(options ...cdpplugin.Option) error {
		return cdpplugin.ServeSource(cdpplugin.PluginMetadata{Name: "broken", Version: "1.0.0"}, func(context.Context, func(Message) error) error {
			return cdpplugin.Fatal{Message: "gap", Code: "lake.gap"}
		}, options...)
	})
	_, err := plugin.Read(context.Background(), 2)
	var fatal cdpplugin.Fatal
	if !errors.As(err, &fatal) || fatal.Code != "lake.gap" {
		t.Errorf("got %v", err)
	}
}

// recorder is a consumer with positions of its own, which are durable when it is flushed.
type recorder struct {
	cdpplugin.Base
	positions []int64
	fail      bool
}

func (*recorder) Metadata() cdpplugin.PluginMetadata {
	return cdpplugin.PluginMetadata{Name: "recorder", Version: "1.0.0"}
}

func (r *recorder) Consume(_ context.Context, delivery cdpplugin.Delivery) (*int64, error) {
	if r.fail = !r.fail; r.fail {
		return nil, cdpplugin.Retry{Message: "busy"}
	}
	r.positions = append(r.positions, delivery.Positions...)
	return nil, nil
}

func (r *recorder) Flush(context.Context) (*int64, error) {
	return cdpplugin.Position(slices.Max(r.positions)), nil
}

// A consumer gets its messages at positions that go on; after an error the same ones again.
func TestConsume(t *testing.T) {
	t.Parallel()
	held := &recorder{}
	plugin := cdpplugintest.StartTestPlugin(t, func(options ...cdpplugin.Option) error { return cdpplugin.Serve(held, options...) })
	for _, expected := range []int64{2, 4} {
		_, err := plugin.Consume(context.Background(), Message{Type: "A"}, Message{Type: "B"})
		var retry cdpplugin.Retry
		if !errors.As(err, &retry) {
			t.Errorf("expected a retry, got %v", err)
		}
		durable, err := plugin.Consume(context.Background(), Message{Type: "A"}, Message{Type: "B"})
		require.NoError(t, err)
		assert.Equal(t, expected, *durable)
	}
	plugin.Stop()
	assert.Equal(t, []int64{1, 2, 3, 4}, held.positions)
}

// A plugin is asked only for what its kind does.
func TestAnotherKind(t *testing.T) {
	t.Parallel()
	plugin := cdpplugintest.StartTestPlugin(t, serveNumbers(1))
	_, processed := plugin.Process(context.Background(), Message{Type: "T"})
	_, consumed := plugin.Consume(context.Background(), Message{Type: "T"})
	_, read := startTestPlugin(t).Read(context.Background(), 1)
	for _, err := range []error{processed, consumed, read} {
		if err == nil || !strings.Contains(err.Error(), "Unimplemented") {
			t.Errorf("got %v", err)
		}
	}
}

// A program is built and run as a process; when it ends by itself, the test fails with its log.
func TestProcess(t *testing.T) {
	t.Parallel()
	message := Message{Type: "T", Payload: json.RawMessage(`"hey"`)}
	plugin := cdpplugintest.StartTestPluginProcess(t, "testdata/shouter", cdpplugintest.WithConfig(`{"mark":"!"}`))
	got, err := plugin.Process(context.Background(), message)
	require.NoError(t, err)
	assert.Equal(t, `"HEY!"`, string(got.Payload))

	test := &reporter{T: t}
	plugin = cdpplugintest.StartTestPluginProcess(test, "testdata/shouter")
	message.Type = "exit"
	if _, err := plugin.Process(context.Background(), message); err == nil {
		t.Error("expected an error of a plugin that has ended")
	}
	plugin.Stop()
	if len(test.told) != 1 || !strings.Contains(test.told[0], "exit status 3") || !strings.Contains(test.told[0], "plugin is listening") {
		t.Errorf("got %q", test.told)
	}
}
