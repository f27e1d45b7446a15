package cdpplugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// keeper is a stateful processor that notes what is asked of it.
type keeper struct {
	Base
	calls []string
	fail  bool
}

func (k *keeper) Metadata() PluginMetadata {
	return PluginMetadata{Name: "keeper", Version: "1.0.0", Stateful: true}
}

func (k *keeper) Configure(_ context.Context, config json.RawMessage) error {
	var chosen struct {
		Size int `json:"size"`
	}
	k.calls = append(k.calls, "configure "+string(config))
	return DecodeConfig(config, &chosen)
}

func (k *keeper) Start(_ context.Context, stage StageContext) error {
	k.calls = append(k.calls, fmt.Sprintf("start %s %s %s %s", stage.Pipeline, stage.Stage, stage.Network, stage.Schemas["T"]))
	if k.fail {
		return Retry{Message: "not yet"}
	}
	return nil
}

func (k *keeper) Stop(context.Context) error {
	k.calls = append(k.calls, "stop")
	return nil
}

func (k *keeper) Health(context.Context) HealthStatus {
	if k.fail {
		panic("ill")
	}
	return HealthStatus{Status: Degraded, Message: "slow", Details: map[string]interface{}{"lag": 3}}
}

func (k *keeper) ProcessBatch(_ context.Context, batch *Batch) (*Outputs, error) {
	return Each(batch), nil
}

func (k *keeper) ExportState(context.Context) ([]byte, error) { return []byte("kept"), nil }

func (k *keeper) ImportState(_ context.Context, state []byte) error {
	k.calls = append(k.calls, "import "+string(state))
	return nil
}

// The calls of a life reach the plugin in order, with what they carry, and Stop only once.
func TestLife(t *testing.T) {
	kept := &keeper{}
	plugin := servePlugin(t, kept)
	ctx := testContext(t)
	_, err := plugin.Configure(ctx, &pb.ConfigureRequest{Config: []byte(`{"siz":1}`)})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "unknown key `siz`") {
		t.Errorf("expected a refusal that names the key, got %v", err)
	}
	if _, err := plugin.Configure(ctx, &pb.ConfigureRequest{Config: []byte(`{"size":1}`)}); err != nil {
		t.Fatal(err)
	}
	_, err = plugin.Start(ctx, &pb.StartRequest{
		Pipeline: "p", Stage: "s", Network: "n", Schemas: map[string][]byte{"T": []byte("{}")}, ImportedState: []byte("before"),
	})
	if err != nil {
		t.Fatal(err)
	}
	health, err := plugin.Health(ctx, &pb.HealthRequest{})
	if err != nil || health.GetStatus() != "degraded" || health.GetMessage() != "slow" || health.GetDetails().AsMap()["lag"] != 3.0 {
		t.Errorf("got %v %v", health, err)
	}
	stopped, err := plugin.Stop(ctx, &pb.StopRequest{ExportState: true})
	if err != nil || string(stopped.GetExportedState()) != "kept" {
		t.Errorf("expected the state, got %v %v", stopped, err)
	}
	if _, err := plugin.Stop(ctx, &pb.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	plugin.end()
	<-plugin.ended
	expected := []string{`configure {"siz":1}`, `configure {"size":1}`, "start p s n {}", "import before", "stop"}
	if !slices.Equal(expected, kept.calls) {
		t.Errorf("expected %q, got %q", expected, kept.calls)
	}
}

// A failed start is told with its instruction; the plugin is stopped all the same.
func TestFailedStart(t *testing.T) {
	kept := &keeper{fail: true}
	plugin := servePlugin(t, kept)
	if _, err := plugin.Start(testContext(t), &pb.StartRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("expected Unavailable, got %v", err)
	}
	health, err := plugin.Health(testContext(t), &pb.HealthRequest{})
	if err != nil || health.GetStatus() != "unhealthy" {
		t.Errorf("expected unhealthy, got %v %v", health, err)
	}
	metadata, err := plugin.GetMetadata(testContext(t), &pb.MetadataRequest{})
	if err != nil || !slices.Contains(metadata.GetFeatures(), pb.Feature_FEATURE_STATE) {
		t.Errorf("expected FEATURE_STATE, got %v %v", metadata, err)
	}
	plugin.end()
	<-plugin.ended
	if expected := []string{"start    ", "stop"}; !slices.Equal(expected, kept.calls) {
		t.Errorf("expected %q, got %q", expected, kept.calls)
	}
}

// The hooks of a plugin made of one function stand in for the methods of a full one.
func TestHooks(t *testing.T) {
	var calls []string
	plugin := serveFunction(t, echo,
		WithConfigure(func(_ context.Context, config json.RawMessage) error {
			calls = append(calls, string(config))
			return nil
		}),
		WithStart(func(_ context.Context, stage StageContext) error {
			calls = append(calls, stage.Stage)
			return nil
		}),
		WithStop(func(context.Context) error {
			calls = append(calls, "stop")
			return nil
		}),
		WithHealth(func(context.Context) HealthStatus { return HealthStatus{Status: Unhealthy} }))
	ctx := testContext(t)
	if _, err := plugin.Configure(ctx, &pb.ConfigureRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := plugin.Start(ctx, &pb.StartRequest{Stage: "s"}); err != nil {
		t.Fatal(err)
	}
	if health, err := plugin.Health(ctx, &pb.HealthRequest{}); err != nil || health.GetStatus() != "unhealthy" {
		t.Errorf("expected unhealthy, got %v %v", health, err)
	}
	plugin.end()
	<-plugin.ended
	if expected := []string{"{}", "s", "stop"}; !slices.Equal(expected, calls) {
		t.Errorf("expected %q, got %q", expected, calls)
	}
}

// A call that the plugin's type does not have is not implemented, and says whose it is.
func TestUnimplemented(t *testing.T) {
	plugin := serveFunction(t, echo)
	_, err := plugin.Forget(testContext(t), &pb.ForgetRequest{})
	if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "processor") {
		t.Errorf("expected Unimplemented, got %v", err)
	}
	stream, err := plugin.Consume(testContext(t))
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("expected Unimplemented, got %v", err)
	}
}

// shelf is a consumer that makes everything durable when it is flushed.
type shelf struct {
	Base
	taken   []string
	through int64
	kept    int64
}

func (s *shelf) Metadata() PluginMetadata { return PluginMetadata{Name: "shelf", Version: "1.0.0"} }

func (s *shelf) DurablePosition(context.Context) (*int64, error) { return Position(s.kept), nil }

func (s *shelf) Consume(_ context.Context, delivery Delivery) (*int64, error) {
	delivery = delivery.After(s.kept)
	for row := range delivery.Batch.Len() {
		message, err := delivery.Batch.Message(row)
		if err != nil {
			return nil, err
		}
		switch string(message.Payload) {
		case `"retry"`:
			return nil, Retry{Message: "full"}
		case `"panic"`:
			panic("boom")
		}
		s.taken = append(s.taken, fmt.Sprint(string(message.Payload), "@", delivery.Positions[row]))
	}
	s.through = delivery.CompletedThrough
	return nil, nil
}

func (s *shelf) Flush(context.Context) (*int64, error) {
	s.kept = s.through
	return Position(s.kept), nil
}

func (s *shelf) Forget(_ context.Context, stage StageContext) ([]string, error) {
	s.kept = -1
	return []string{"forgot " + stage.Pipeline}, nil
}

// A consumer is handed one delivery after another, tells what is durable, and keeps its position.
func TestConsume(t *testing.T) {
	held := &shelf{kept: 4}
	plugin := servePlugin(t, held)
	started, err := plugin.Start(testContext(t), &pb.StartRequest{})
	if err != nil || started.DurablePosition == nil || started.GetDurablePosition() != 4 {
		t.Errorf("expected position 4, got %v %v", started, err)
	}
	stream, err := plugin.Consume(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(request *pb.ConsumeRequest) *pb.ConsumeResponse {
		t.Helper()
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if request.GetSequence() != response.GetSequence() {
			t.Errorf("expected %d, got %d", request.GetSequence(), response.GetSequence())
		}
		return response
	}
	if got := exchange(&pb.ConsumeRequest{Sequence: 1, Batch: rowsOfJSON("1", "2"), Positions: []int64{4, 5}, CompletedThrough: 5}); got.DurableThrough != nil || got.Error != nil {
		t.Errorf("expected nothing new, got %v", got)
	}
	if got := exchange(&pb.ConsumeRequest{Sequence: 2, Batch: rowsOfJSON(`"retry"`), Positions: []int64{6}}); got.GetError().GetInstruction() != pb.Error_INSTRUCTION_RETRY {
		t.Errorf("expected a retry, got %v", got)
	}
	if got := exchange(&pb.ConsumeRequest{Sequence: 3, Batch: rowsOfJSON(`"panic"`), Positions: []int64{6}}); got.GetError().GetCode() != CodeFailed {
		t.Errorf("expected a panic, got %v", got)
	}
	if got := exchange(&pb.ConsumeRequest{Sequence: 4, Batch: rowsOfJSON("1"), CompletedThrough: 6}); got.GetError().GetCode() != CodeBatchInvalid {
		t.Errorf("expected a refusal, got %v", got)
	}
	if got := exchange(&pb.ConsumeRequest{Sequence: 5, CompletedThrough: 7}); got.Error != nil {
		t.Errorf("expected a mark to be taken, got %v", got)
	}
	if got := exchange(&pb.ConsumeRequest{Sequence: 6, Flush: true}); got.GetDurableThrough() != 7 {
		t.Errorf("expected 7, got %v", got)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("expected the end, got %v", err)
	}
	if expected := []string{"2@5"}; !slices.Equal(expected, held.taken) {
		t.Errorf("expected %v, got %v", expected, held.taken)
	}
	forgotten, err := plugin.Forget(testContext(t), &pb.ForgetRequest{Pipeline: "p"})
	if err != nil || !slices.Equal([]string{"forgot p"}, forgotten.GetDone()) || held.kept != -1 {
		t.Errorf("got %v %v", forgotten, err)
	}
}

// A consumer made of one function is durable when the function has returned; a drop is no failure.
func TestConsumerFunction(t *testing.T) {
	var taken []string
	plugin := serveOn(t, func(options ...Option) error {
		return ServeConsumer(echoMetadata, func(_ context.Context, message Message) error {
			if string(message.Payload) == "2" {
				return Drop("even")
			}
			taken = append(taken, message.ID)
			return nil
		}, options...)
	}, nil)
	stream, err := plugin.Consume(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.ConsumeRequest{Sequence: 1, Batch: rowsOfJSON("1", "2", "3"), Positions: []int64{1, 2, 3}, CompletedThrough: 3}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || got.GetDurableThrough() != 3 || !slices.Equal([]string{"0", "2"}, taken) {
		t.Errorf("expected rows 0 and 2 through 3, got %v %v %v", taken, got, err)
	}
	plugin.end()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("expected Unavailable, got %v", err)
	}
}

// counter is a source of numbers from 0.
type counter struct {
	Base
	last         int64
	fault        string
	acknowledged chan int64
	refusing     error
}

func (c *counter) Metadata() PluginMetadata { return PluginMetadata{Name: "counter", Version: "1.0.0"} }

func (c *counter) Describe(context.Context) (SourceDescription, error) {
	return SourceDescription{Identity: "numbers", Unit: "numbers", First: Position(0), Last: &c.last, Start: "0"}, nil
}

func (c *counter) Read(ctx context.Context, after *Resume, yield func(SourceBatch) error) error {
	next := int64(0)
	if after != nil {
		next = after.Position + int64(len(after.Token))
	}
	for ; next <= c.last; next++ {
		batch, err := BatchOf(Message{Type: "Number", Payload: json.RawMessage(fmt.Sprint(next))})
		if err != nil {
			return err
		}
		positions := []int64{next}
		if c.fault == "decreasing" {
			positions[0] = -next
		}
		err = yield(SourceBatch{Batch: batch, Positions: positions, CompletedThrough: Position(next), Token: []byte{1}})
		if c.fault == "decreasing" {
			continue
		}
		if err != nil {
			return err
		}
	}
	switch c.fault {
	case "retry":
		return Retry{Message: "more later"}
	case "panic":
		panic("boom")
	case "patient":
		<-ctx.Done()
	}
	return nil
}

func (c *counter) Acknowledge(_ context.Context, through int64) error {
	c.acknowledged <- through
	if through < 0 {
		return c.refusing
	}
	return nil
}

// reads opens a source's stream with a first request.
func reads(t *testing.T, plugin *served, first *pb.ReadRequest) pb.PluginService_ReadClient {
	t.Helper()
	stream, err := plugin.Read(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(first); err != nil {
		t.Fatal(err)
	}
	return stream
}

// readNext returns the next response of a source.
func readNext(t *testing.T, stream pb.PluginService_ReadClient) *pb.ReadResponse {
	t.Helper()
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// A source sends a batch a credit, goes on where it is told, and learns what is durable.
func TestRead(t *testing.T) {
	source := &counter{last: 4, acknowledged: make(chan int64, 1)}
	plugin := servePlugin(t, source)
	started, err := plugin.Start(testContext(t), &pb.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sameProto(t, &pb.SourceDescription{Identity: "numbers", Unit: "numbers", First: Position(0), Last: Position(4), Start: "0"}, started.GetSource())
	stream, err := plugin.Read(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	send := func(request *pb.ReadRequest) {
		t.Helper()
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
	}
	send(&pb.ReadRequest{AfterPosition: Position(0), AfterToken: []byte{1}, Credits: 2})
	for expected := int64(1); expected <= 4; expected++ {
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal([]int64{expected}, got.GetPositions()) || got.GetCompletedThrough() != expected {
			t.Errorf("expected %d, got %v", expected, got)
		}
		if expected == 2 {
			// Both credits are used up: nothing may come before the acknowledgement is through.
			send(&pb.ReadRequest{AcknowledgedThrough: Position(2)})
			if got := <-source.acknowledged; got != 2 {
				t.Errorf("expected 2, got %d", got)
			}
			send(&pb.ReadRequest{Credits: 2})
		}
	}
	if got := readNext(t, stream); !got.GetEnded() {
		t.Errorf("expected the end, which costs no credit, got %v", got)
	}
}

// After its end a source hears of everything durable; what it cannot take then ends nothing.
func TestReadAcknowledgesAfterTheEnd(t *testing.T) {
	source := &counter{last: 0, acknowledged: make(chan int64, 3), refusing: errors.New("no cursor")}
	stream := reads(t, servePlugin(t, source), &pb.ReadRequest{Credits: 1})
	if first, end := readNext(t, stream), readNext(t, stream); first.GetEnded() || !end.GetEnded() {
		t.Errorf("expected a batch and the end, got %v, %v", first, end)
	}
	for _, through := range []int64{-1, 0} {
		if err := stream.Send(&pb.ReadRequest{AcknowledgedThrough: Position(through)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("expected the end of the call, got %v", err)
	}
	if first, second := <-source.acknowledged, <-source.acknowledged; first != -1 || second != 0 {
		t.Errorf("expected -1 and 0, got %d and %d", first, second)
	}
}

// What a source cannot acknowledge ends the reading with that error, from the first request on.
func TestReadFailsWithAnAcknowledgement(t *testing.T) {
	lost := Fatal{Message: "the cursor is lost", Code: "counter.cursor"}
	source := &counter{last: 5, acknowledged: make(chan int64, 2), refusing: lost}
	plugin := servePlugin(t, source)
	later := reads(t, plugin, &pb.ReadRequest{Credits: 1})
	readNext(t, later)
	if err := later.Send(&pb.ReadRequest{AcknowledgedThrough: Position(-1)}); err != nil {
		t.Fatal(err)
	}
	for name, stream := range map[string]pb.PluginService_ReadClient{
		"later":    later,
		"at first": reads(t, plugin, &pb.ReadRequest{AcknowledgedThrough: Position(-1)}),
	} {
		if got := readNext(t, stream).GetError(); got.GetCode() != lost.Code || got.GetInstruction() != pb.Error_INSTRUCTION_FATAL {
			t.Errorf("%s: expected %s, got %v", name, lost.Code, got)
		}
	}
}

// The end of the host's side ends the reading, though the source waits for its next row.
func TestReadEndsWithTheHostsSide(t *testing.T) {
	source := &counter{last: 0, fault: "patient", acknowledged: make(chan int64, 1)}
	stream := reads(t, servePlugin(t, source), &pb.ReadRequest{Credits: 2})
	readNext(t, stream)
	if err := stream.Send(&pb.ReadRequest{AcknowledgedThrough: Position(0)}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("expected the end of the call, got %v %v", got, err)
	}
	if got := <-source.acknowledged; got != 0 {
		t.Errorf("expected 0, got %d", got)
	}
}

// Nothing is sent without a credit.
func TestReadCredits(t *testing.T) {
	service := newService(&counter{}, echoMetadata, settings{workers: 1}, endpoint{maxMessageBytes: 1000})
	reading := &reading{service: service, granted: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	reading.take(ctx, &pb.ReadRequest{Credits: 1})
	if err := reading.credit(ctx); err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	waiting.Add(1)
	var err error
	go func() {
		defer waiting.Done()
		err = reading.credit(ctx)
	}()
	cancel()
	waiting.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("expected no second credit, got %v", err)
	}
}

// A source that fails says why on the stream, and not that it has ended.
func TestReadFailures(t *testing.T) {
	for fault, expected := range map[string]string{"retry": CodeRetry, "panic": CodeFailed, "decreasing": CodeOutputInvalid} {
		plugin := servePlugin(t, &counter{last: 2, fault: fault})
		stream, err := plugin.Read(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&pb.ReadRequest{Credits: 9}); err != nil {
			t.Fatal(err)
		}
		var last *pb.ReadResponse
		for {
			got, err := stream.Recv()
			if err != nil {
				break
			}
			last = got
		}
		if expected != last.GetError().GetCode() {
			t.Errorf("%s: expected %s, got %v", fault, expected, last)
		}
	}
}

// What exceeds the limit comes in pieces, each for a credit; only the last one completes its position.
func TestReadIsCut(t *testing.T) {
	text := json.RawMessage(`"` + strings.Repeat("x", 40_000) + `"`)
	batch, err := BatchOf(Message{Payload: text}, Message{Payload: text}, Message{Payload: text}, Message{Payload: text})
	if err != nil {
		t.Fatal(err)
	}
	found := SourceBatch{Batch: batch, Positions: []int64{1, 2, 2, 3}, Token: []byte("t")}
	plugin := serveOn(t, func(options ...Option) error {
		return Serve(&listed{batches: []SourceBatch{found}}, options...)
	}, map[string]string{"PLUGIN_MAX_MESSAGE_BYTES": "100000"})
	stream := reads(t, plugin, &pb.ReadRequest{Credits: 2})
	first, second := readNext(t, stream), readNext(t, stream)
	if !slices.Equal([]int64{1, 2}, first.GetPositions()) || first.GetCompletedThrough() != 1 || len(first.GetToken()) != 0 {
		t.Errorf("expected half of it through 1, got %v through %v", first.GetPositions(), first.GetCompletedThrough())
	}
	if !slices.Equal([]int64{2, 3}, second.GetPositions()) || second.GetCompletedThrough() != 3 || string(second.GetToken()) != "t" {
		t.Errorf("expected the rest through 3, got %v through %v", second.GetPositions(), second.GetCompletedThrough())
	}
}

// A source that is told to end does not look as if its stream had come to its end, and one that had
// come to it lets go.
func TestReadDrains(t *testing.T) {
	for _, fault := range []string{"patient", ""} {
		plugin := servePlugin(t, &counter{last: 0, fault: fault})
		stream := reads(t, plugin, &pb.ReadRequest{Credits: 9})
		readNext(t, stream)
		if fault == "" && !readNext(t, stream).GetEnded() {
			t.Error("expected the end")
		}
		plugin.end()
		if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("expected Unavailable, got %v", err)
		}
		if err := <-plugin.ended; err != nil {
			t.Errorf("expected a clean end, got %v", err)
		}
	}
}

// A source made of one function numbers its messages from 1 and leaves out what is durable.
func TestSourceFunction(t *testing.T) {
	plugin := serveOn(t, func(options ...Option) error {
		return ServeSource(echoMetadata, func(_ context.Context, yield func(Message) error) error {
			for number := range 1200 {
				if err := yield(Message{Type: "N", Payload: json.RawMessage(fmt.Sprint(number))}); err != nil {
					return err
				}
			}
			return Retry{Message: "more later"}
		}, options...)
	}, nil)
	stream, err := plugin.Read(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.ReadRequest{AfterPosition: Position(10), Credits: 2000}); err != nil {
		t.Fatal(err)
	}
	expected := int64(11)
	var failed *pb.Error
	for {
		got, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		failed = got.GetError()
		for row, position := range got.GetPositions() {
			if payload := string(got.GetBatch().GetPayloads()[row]); expected != position || payload != fmt.Sprint(position-1) {
				t.Fatalf("expected %d, got %d with %s", expected, position, payload)
			}
			expected++
		}
	}
	if expected != 1201 || failed.GetInstruction() != pb.Error_INSTRUCTION_RETRY {
		t.Errorf("expected all of it and a retry, got %d and %v", expected-1, failed)
	}
}

// A delivery is cut after a position, whatever its rows' positions repeat.
func TestDeliveryAfter(t *testing.T) {
	batch, err := batchFrom(rowsOfJSON("1", "2", "3", "4"))
	if err != nil {
		t.Fatal(err)
	}
	delivery := Delivery{Batch: batch, Positions: []int64{5, 5, 6, 8}, CompletedThrough: 8}
	for position, expected := range map[int64][]int64{4: {5, 5, 6, 8}, 5: {6, 8}, 7: {8}, 8: {}} {
		got := delivery.After(position)
		if !slices.Equal(expected, got.Positions) || got.Batch.Len() != len(expected) || got.CompletedThrough != 8 {
			t.Errorf("after %d: expected %v, got %v", position, expected, got.Positions)
		}
	}
	if got := batch.Take([]int{3, 0}); !reflect.DeepEqual(Column[string]{"3", "0"}, got.IDs) || got.Types.At(1) != "T" {
		t.Errorf("got %v", got)
	}
}
