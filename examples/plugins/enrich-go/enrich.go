package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const version = "0.1.0"

// families sorts the operations of the Stellar protocol by what they are about.
var families = map[string]string{
	"create_account": "account", "account_merge": "account", "set_options": "account",
	"bump_sequence": "account", "inflation": "account",
	"payment": "payment", "path_payment_strict_receive": "payment", "path_payment_strict_send": "payment",
	"manage_buy_offer": "offer", "manage_sell_offer": "offer", "create_passive_sell_offer": "offer",
	"change_trust": "trust", "allow_trust": "trust", "set_trust_line_flags": "trust",
	"manage_data":              "data",
	"create_claimable_balance": "claimable", "claim_claimable_balance": "claimable",
	"clawback_claimable_balance": "claimable", "clawback": "claimable",
	"begin_sponsoring_future_reserves": "sponsorship", "end_sponsoring_future_reserves": "sponsorship",
	"revoke_sponsorship":     "sponsorship",
	"liquidity_pool_deposit": "liquidity", "liquidity_pool_withdraw": "liquidity",
	"invoke_host_function": "soroban", "extend_footprint_ttl": "soroban", "restore_footprint": "soroban",
}

// settings are the plugin's configuration; see plugin.yaml.
type settings struct {
	Families   []string `json:"families"`
	KeepFailed bool     `json:"keep_failed"`
}

// enricher adds to an operation its family and whether it succeeded.
type enricher struct {
	settings settings
}

func newEnricher() *enricher {
	return &enricher{settings{KeepFailed: true}}
}

// configure takes the configuration; a family nobody has heard of is refused.
func (e *enricher) configure(_ context.Context, config json.RawMessage) error {
	chosen := settings{KeepFailed: true}
	if err := cdpplugin.DecodeConfig(config, &chosen); err != nil {
		return err
	}
	known := names()
	for _, family := range chosen.Families {
		if !slices.Contains(known, family) {
			return cdpplugin.ConfigInvalid{
				Message: "`families`: there is no family `" + family + "`",
				Hint:    "use some of " + strings.Join(known, ", "),
			}
		}
	}
	e.settings = chosen
	return nil
}

// names returns every family once, sorted.
func names() []string {
	var found []string
	for _, family := range families {
		found = append(found, family)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// process adds two fields and leaves all others as they came: an id of 18 digits keeps each one.
func (e *enricher) process(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	operation, err := cdpplugin.ParseObject(message.Payload)
	if err != nil {
		return cdpplugin.Message{}, err
	}
	kind, isText := operation.Text("type_string")
	family, known := families[kind]
	if !isText || !known {
		return cdpplugin.Message{}, cdpplugin.PluginError{
			Message: "expected `type_string` to be a type of operation, got " + shown(operation.Get("type_string")),
			Code:    "enrich.type_unknown",
			Hint:    "put `rows` with the table operations before this stage",
		}
	}
	if len(e.settings.Families) > 0 && !slices.Contains(e.settings.Families, family) {
		return cdpplugin.Message{}, cdpplugin.Drop("another family")
	}
	result, _ := operation.Text("operation_trace_code")
	succeeded := strings.HasSuffix(result, "Success")
	if !succeeded && !e.settings.KeepFailed {
		return cdpplugin.Message{}, cdpplugin.Drop("failed")
	}
	if err := operation.Set("family", family); err != nil {
		return cdpplugin.Message{}, err
	}
	if err := operation.Set("operation_succeeded", succeeded); err != nil {
		return cdpplugin.Message{}, err
	}
	message.Type = "enriched_operation"
	message.Payload = operation.JSON()
	message.Metadata["enriched_by"] = "enrich-go@" + version
	return message, nil
}

func shown(text json.RawMessage) string {
	if text == nil {
		return "nothing"
	}
	return "`" + string(text) + "`"
}
