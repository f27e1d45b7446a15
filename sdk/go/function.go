package cdpplugin

import (
	"context"
	"log/slog"
	"sync"
)

// ProcessorFunc processes one message: one output, or none. A Message without id, type and
// payload means none, and so does the error [Drop], which says why.
//
// It is called from several goroutines at once; [WithWorkers](1) makes it one at a time.
type ProcessorFunc func(context.Context, Message) (Message, error)

// FlatFunc processes one message into any number of outputs.
type FlatFunc func(context.Context, Message) ([]Message, error)

// BatchFunc processes a batch. [Each] answers row for row, an [OutputCollector] anything else.
type BatchFunc func(context.Context, *Batch) (*Outputs, error)

// SourceFunc hands messages to yield, in the same order at every run, until its stream or ctx
// ends. Their positions count them from 1.
type SourceFunc func(ctx context.Context, yield func(Message) error) error

// ConsumerFunc puts one message somewhere durable; it is durable when the function returns.
type ConsumerFunc func(context.Context, Message) error

// ServeProcessor serves a processor made of one function for a message, until the host ends it.
func ServeProcessor(metadata PluginMetadata, processor ProcessorFunc, options ...Option) error {
	return Serve(&functionProcessor{identity: identity{metadata: metadata}, process: eachMessage(processor)}, options...)
}

// ServeFlatProcessor serves a processor whose function gives any number of outputs for a message.
func ServeFlatProcessor(metadata PluginMetadata, processor FlatFunc, options ...Option) error {
	return Serve(&functionProcessor{identity: identity{metadata: metadata}, process: eachFlat(processor)}, options...)
}

// ServeBatchProcessor serves a processor made of one function for a batch.
func ServeBatchProcessor(metadata PluginMetadata, processor BatchFunc, options ...Option) error {
	return Serve(&functionProcessor{identity: identity{metadata: metadata}, process: processor}, options...)
}

// ServeSource serves a source made of one function.
func ServeSource(metadata PluginMetadata, source SourceFunc, options ...Option) error {
	return Serve(&functionSource{identity: identity{metadata: metadata}, source: source}, options...)
}

// ServeConsumer serves a consumer made of one function.
func ServeConsumer(metadata PluginMetadata, consumer ConsumerFunc, options ...Option) error {
	return Serve(&functionConsumer{identity: identity{metadata: metadata}, consume: consumer}, options...)
}

type identity struct {
	Base
	metadata PluginMetadata
}

func (i *identity) Metadata() PluginMetadata { return i.metadata }

type functionProcessor struct {
	identity
	process BatchFunc
}

func (p *functionProcessor) ProcessBatch(ctx context.Context, batch *Batch) (*Outputs, error) {
	return p.process(ctx, batch)
}

// eachMessage returns the batch function that calls function for every message.
func eachMessage(function ProcessorFunc) BatchFunc {
	return eachRow(func(ctx context.Context, row int, message Message, collector *OutputCollector) error {
		output, err := function(ctx, message)
		if err != nil || output.nothing() {
			return err
		}
		return collector.Add(row, output)
	})
}

func eachFlat(function FlatFunc) BatchFunc {
	return eachRow(func(ctx context.Context, row int, message Message, collector *OutputCollector) error {
		outputs, err := function(ctx, message)
		if err != nil {
			return err
		}
		return collector.AddAll(row, outputs)
	})
}

type rowFunc func(ctx context.Context, row int, message Message, collector *OutputCollector) error

// eachRow calls process for every row; an error or a panic costs only its row.
func eachRow(process rowFunc) BatchFunc {
	return func(ctx context.Context, batch *Batch) (*Outputs, error) {
		collector := NewOutputCollector(batch)
		for row := 0; row < batch.Rows; row++ {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			err := guard(func() error {
				message, err := batch.Message(row)
				if err != nil {
					return err
				}
				return process(ctx, row, message, collector)
			})
			if err == nil {
				continue
			}
			if reason, dropped := asDrop(err); dropped {
				collector.Drop(reason)
			} else {
				collector.Fail(row, err)
			}
		}
		return collector.Outputs()
	}
}

type functionConsumer struct {
	identity
	consume ConsumerFunc
}

// Consume calls the function for each message, in order; a Drop leaves its message out.
func (c *functionConsumer) Consume(ctx context.Context, delivery Delivery) (*int64, error) {
	if _, err := c.consumeEach(ctx, delivery.Batch); err != nil {
		return nil, err
	}
	return Position(delivery.CompletedThrough), nil
}

// consumeEach hands over each message until one fails, and counts those that are left out.
func (c *functionConsumer) consumeEach(ctx context.Context, batch *Batch) (map[string]int, error) {
	var dropped map[string]int
	for row := 0; row < batch.Len(); row++ {
		message, err := batch.Message(row)
		if err == nil {
			err = c.consume(ctx, message)
		}
		reason, isDrop := asDrop(err)
		if err != nil && !isDrop {
			return nil, err
		}
		if isDrop {
			slog.Debug("message dropped", "id", message.ID, "reason", reason)
			if dropped == nil {
				dropped = map[string]int{}
			}
			dropped[reason]++
		}
	}
	return dropped, nil
}

type functionSource struct {
	identity
	source SourceFunc
}

// Describe names the stream after the plugin.
func (s *functionSource) Describe(context.Context) (SourceDescription, error) {
	return SourceDescription{Identity: s.metadata.Name, Unit: "messages"}, nil
}

// Read yields the function's messages, leaving out those already durable. What the function has
// given while a batch was on its way goes out together, so a slow function is never waited for.
func (s *functionSource) Read(ctx context.Context, after *Resume, yield func(SourceBatch) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	messages := make(chan Message, mostGathered)
	var sending sync.WaitGroup
	sending.Add(1)
	position := int64(0)
	if after != nil {
		position = after.Position
	}
	go func() {
		defer sending.Done()
		if err := sendGathered(messages, position, yield); err != nil {
			cancel(err)
			for range messages { // lets the function's last yield through
			}
		}
	}()
	done := int64(0)
	err := guard(func() error {
		return s.source(ctx, func(message Message) error {
			if done++; done <= position {
				return ctx.Err()
			}
			select {
			case messages <- message:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
	close(messages)
	sending.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// What of a source function's messages goes out as one batch, at the most.
const (
	mostGathered      = 500
	mostGatheredBytes = 4 << 20
)

// sendGathered yields whatever messages there are, at least one, at most mostGathered at a time.
func sendGathered(messages <-chan Message, position int64, yield func(SourceBatch) error) error {
	for message := range messages {
		gathered, size := []Message{message}, len(message.Payload)
		for more := true; more && len(gathered) < mostGathered && size < mostGatheredBytes; {
			select {
			case message, open := <-messages:
				if more = open; open {
					gathered = append(gathered, message)
					size += len(message.Payload)
				}
			default:
				more = false
			}
		}
		batch, err := BatchOf(gathered...)
		if err != nil {
			return err
		}
		positions := make([]int64, len(gathered))
		for at := range positions {
			position++
			positions[at] = position
		}
		if err := yield(SourceBatch{Batch: batch, Positions: positions}); err != nil {
			return err
		}
	}
	return nil
}
