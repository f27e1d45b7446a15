package cdpplugin

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"
)

// How long calls in progress may take when the plugin is told to end. A host kills earlier or
// later as it likes; this bounds a plugin whose host is gone.
const stopGrace = 30 * time.Second

// Option changes how a plugin is served.
type Option func(*settings)

type settings struct {
	ctx       context.Context
	socket    string
	workers   int
	grace     time.Duration
	tls       *tlsConfig
	configure func(context.Context, json.RawMessage) error
	start     func(context.Context, StageContext) error
	stop      func(context.Context) error
	health    func(context.Context) HealthStatus
}

func settingsOf(metadata PluginMetadata, options []Option) (settings, error) {
	chosen := settings{ctx: context.Background(), workers: runtime.GOMAXPROCS(0), grace: stopGrace}
	for _, option := range options {
		option(&chosen)
	}
	if chosen.workers < 1 {
		return chosen, fmt.Errorf("workers must be at least 1, got %d", chosen.workers)
	}
	if metadata.Stateful {
		chosen.workers = 1
	}
	return chosen, nil
}

// WithWorkers sets how many batches are processed at the same time; without it, one a processor
// core. A stateful plugin always has one. Order is the host's: it puts answers back in order.
func WithWorkers(workers int) Option {
	return func(s *settings) { s.workers = workers }
}

// WithContext ends the serving gracefully when ctx ends, as SIGTERM does.
func WithContext(ctx context.Context) Option {
	return func(s *settings) { s.ctx = ctx }
}

// WithSocket serves on the Unix socket at path, wherever the environment says: for tests, which serve
// several plugins in one process, and for embedding. A WebAssembly plugin has none.
func WithSocket(path string) Option {
	return func(s *settings) { s.socket = path }
}

// WithConfigure takes the configuration of a plugin made of one function, before its first
// message; see [DecodeConfig]. An error refuses the configuration.
func WithConfigure(configure func(ctx context.Context, config json.RawMessage) error) Option {
	return func(s *settings) { s.configure = configure }
}

// WithStart opens what a plugin made of one function needs.
func WithStart(start func(ctx context.Context, stage StageContext) error) Option {
	return func(s *settings) { s.start = start }
}

// WithStop closes what WithStart opened. Called once, also after a failed start.
func WithStop(stop func(ctx context.Context) error) Option {
	return func(s *settings) { s.stop = stop }
}

// WithHealth says how a plugin made of one function is.
func WithHealth(health func(ctx context.Context) HealthStatus) Option {
	return func(s *settings) { s.health = health }
}

func (s *settings) configuring(plugin Plugin) func(context.Context, json.RawMessage) error {
	if s.configure != nil {
		return s.configure
	}
	return plugin.Configure
}

func (s *settings) starting(plugin Plugin) func(context.Context, StageContext) error {
	if s.start != nil {
		return s.start
	}
	return plugin.Start
}

func (s *settings) stopping(plugin Plugin) func(context.Context) error {
	if s.stop != nil {
		return s.stop
	}
	return plugin.Stop
}

func (s *settings) healthOf(plugin Plugin) func(context.Context) HealthStatus {
	if s.health != nil {
		return s.health
	}
	return plugin.Health
}
