package cdpplugin

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// payment is what a benchmark's author reads of a message of about 230 bytes.
type payment struct {
	Ledger    int64  `json:"ledger"`
	From      string `json:"from"`
	To        string `json:"to"`
	Asset     string `json:"asset"`
	Amount    string `json:"amount"`
	Closed    string `json:"closed_at"`
	Processed bool   `json:"processed"`
}

func changeStruct(_ context.Context, message Message) (Message, error) {
	var read payment
	if err := json.Unmarshal(message.Payload, &read); err != nil {
		return Message{}, err
	}
	read.Processed = true
	var err error
	message.Payload, err = json.Marshal(read)
	return message, err
}

func changeMap(_ context.Context, message Message) (Message, error) {
	var read map[string]interface{}
	if err := json.Unmarshal(message.Payload, &read); err != nil {
		return Message{}, err
	}
	read["processed"] = true
	var err error
	message.Payload, err = json.Marshal(read)
	return message, err
}

func changeObject(_ context.Context, message Message) (Message, error) {
	object, err := ParseObject(message.Payload)
	if err != nil {
		return Message{}, err
	}
	err = object.Set("processed", true)
	message.Payload = object.JSON()
	return message, err
}

func benchmarkBatch(rows int) *pb.MessageBatch {
	batch := &pb.MessageBatch{Rows: uint32(rows), Types: []string{"Payment"}, Encoding: "json"}
	for row := range rows {
		batch.Ids = append(batch.Ids, fmt.Sprintf("pubnet:%d:1:%d", 50_000_000+row, row))
		batch.Payloads = append(batch.Payloads, []byte(fmt.Sprintf(
			`{"ledger":%d,"from":"GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H","to":"GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN","asset":"native","amount":"%d.0000000","closed_at":"2024-01-01T00:00:00Z"}`,
			50_000_000+row, row)))
	}
	return batch
}

const benchmarkRows = 1000

var functions = map[string]ProcessorFunc{
	"echo": echo, "object": changeObject, "struct": changeStruct, "map": changeMap,
}

// BenchmarkBatch measures what the SDK and an author's function cost a message, without a connection.
func BenchmarkBatch(b *testing.B) {
	for _, name := range []string{"echo", "object", "struct", "map"} {
		b.Run(name, func(b *testing.B) {
			wire, err := proto.Marshal(&pb.StreamRequest{Sequence: 1, Batch: benchmarkBatch(benchmarkRows)})
			if err != nil {
				b.Fatal(err)
			}
			processor := &functionProcessor{process: eachMessage(functions[name])}
			service := newService(processor, echoMetadata, settings{workers: 1}, endpoint{maxMessageBytes: 1 << 30})
			b.ReportAllocs()
			for b.Loop() {
				request := &pb.StreamRequest{}
				if err := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, request); err != nil {
					b.Fatal(err)
				}
				answer, err := service.answer(context.Background(), processor, request.GetBatch())
				if err != nil {
					b.Fatal(err)
				}
				response, err := newCodec().Marshal(&pb.StreamResponse{Sequence: 1, Answer: answer})
				if err != nil {
					b.Fatal(err)
				}
				response.Free()
			}
			perMessage(b)
		})
	}
}

// BenchmarkStream measures a whole hop over a Unix socket, with a host in Go that reads no payload.
func BenchmarkStream(b *testing.B) {
	for _, name := range []string{"echo", "object", "struct", "map"} {
		b.Run(name, func(b *testing.B) {
			plugin := serveFunction(b, functions[name])
			stream := openStream(b, plugin)
			batch := benchmarkBatch(benchmarkRows)
			waiting := 0
			for b.Loop() {
				if waiting == int(stream.credits) {
					stream.receive()
					waiting--
				}
				stream.send(1, batch)
				waiting++
			}
			for range waiting {
				stream.receive()
			}
			perMessage(b)
		})
	}
}

func perMessage(b *testing.B) {
	messages := float64(b.N) * benchmarkRows
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/messages, "ns/message")
	b.ReportMetric(messages/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(0, "ns/op")
}
