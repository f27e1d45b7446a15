package cdpplugin

import (
	"encoding/json"
	"errors"
	"fmt"
)

// PluginType says where a plugin stands in a pipeline.
type PluginType string

// The three types of plugin.
const (
	PluginTypeSource    PluginType = "source"
	PluginTypeProcessor PluginType = "processor"
	PluginTypeConsumer  PluginType = "consumer"
)

// Encoding is the form of the payloads of a batch.
type Encoding string

// The forms in which payloads can be handed to a plugin.
const (
	EncodingJSON  Encoding = "json"
	EncodingSEP51 Encoding = "sep51"
	EncodingXDR   Encoding = "xdr"
	EncodingArrow Encoding = "arrow"
)

// ResourceRequirements is what a plugin needs of the machine; zero values ask for nothing.
type ResourceRequirements struct {
	// MinMemoryMB is the memory that must be free before it is started, in MiB.
	MinMemoryMB int `json:"min_memory_mb"`
	// MaxMemoryMB is the memory it may use at the most, in MiB; 0 means no bound of its own.
	MaxMemoryMB int `json:"max_memory_mb"`
	// CPUShares is the relative weight of processor time, 1024 being one core's worth.
	CPUShares int `json:"cpu_shares"`
	// GPURequired tells whether it needs a graphics processor.
	GPURequired bool `json:"gpu_required"`
}

// SourceInfo is where a message came from.
type SourceInfo struct {
	// Name is the source plugin, e.g. "galexie".
	Name string `json:"name"`
	// Network is the Stellar network's passphrase, or empty where none applies.
	Network string `json:"network"`
	// URI is the place that was read, without secrets, e.g. "s3://bucket/ledgers".
	URI string `json:"uri"`
}

// Status is how a plugin is, in one word.
type Status string

// The states of a plugin's health.
const (
	Healthy   Status = "healthy"
	Degraded  Status = "degraded"
	Unhealthy Status = "unhealthy"
)

// HealthStatus is how a plugin is, in its own words.
type HealthStatus struct {
	// Status is Healthy, Degraded (works, but look at it) or Unhealthy; empty means Healthy.
	Status Status `json:"status"`
	// Message is one sentence for the operator.
	Message string `json:"message"`
	// Details are free facts, JSON values only.
	Details map[string]interface{} `json:"details"`
}

// PluginMetadata is a plugin's identity card.
type PluginMetadata struct {
	// Name is unique, lower case with dashes.
	Name string `json:"name"`
	// Version is a semantic version, e.g. "1.4.0".
	Version string `json:"version"`
	// Type may be left empty: it follows from what is served.
	Type PluginType `json:"type"`
	// Description is one sentence.
	Description string `json:"description"`
	// Author is who to ask.
	Author string `json:"author"`
	// License is an SPDX expression, e.g. "Apache-2.0".
	License string `json:"license"`
	// InputTypes are the message types it takes; none means any.
	InputTypes []string `json:"input_types"`
	// OutputTypes are the message types it gives; none means those it was given.
	OutputTypes []string `json:"output_types"`
	// ConfigSchema is the JSON Schema (draft 2020-12) of its configuration.
	ConfigSchema json.RawMessage `json:"config_schema"`
	// OutputSchema is the JSON Schema of each output type's payload, keyed by type.
	OutputSchema map[string]json.RawMessage `json:"output_schema"`
	// InputEncoding is the form in which payloads are handed to it; empty means EncodingJSON.
	InputEncoding Encoding `json:"input_encoding"`
	// Stateful tells whether outputs depend on earlier messages; such a plugin runs once, in order.
	Stateful bool `json:"stateful"`
	// Resources are what it needs of the machine.
	Resources ResourceRequirements `json:"resources"`
}

// Reference returns name@version, the form in which errors and dead letters name a plugin.
func (m PluginMetadata) Reference() string {
	return m.Name + "@" + m.Version
}

// checked returns m with its type filled in from what plugin implements.
func (m PluginMetadata) checked(plugin Plugin) (PluginMetadata, error) {
	kind, err := typeOf(plugin)
	if err != nil {
		return m, err
	}
	switch {
	case m.Name == "":
		return m, errors.New("the plugin's metadata has no name")
	case m.Version == "":
		return m, fmt.Errorf("the metadata of plugin `%s` has no version", m.Name)
	case m.Type != "" && m.Type != kind:
		return m, fmt.Errorf("plugin `%s` says it is a %s, what is served is a %s", m.Name, m.Type, kind)
	}
	for name, schema := range m.schemas() {
		if len(schema) > 0 && !json.Valid(schema) {
			return m, fmt.Errorf("`%s` of plugin `%s` is not JSON", name, m.Name)
		}
	}
	m.Type = kind
	return m, nil
}

func (m PluginMetadata) schemas() map[string]json.RawMessage {
	schemas := map[string]json.RawMessage{"ConfigSchema": m.ConfigSchema}
	for name, schema := range m.OutputSchema {
		schemas["OutputSchema."+name] = schema
	}
	return schemas
}

func typeOf(plugin Plugin) (PluginType, error) {
	switch plugin.(type) {
	case Processor:
		return PluginTypeProcessor, nil
	case Source:
		return PluginTypeSource, nil
	case Consumer:
		return PluginTypeConsumer, nil
	}
	return "", fmt.Errorf("`%T` is neither a Processor nor a Source nor a Consumer", plugin)
}
