package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// config is the plugin's configuration; plugin.yaml holds its schema.
type config struct {
	DSN            string  `json:"dsn"`
	Table          string  `json:"table"`
	ConnectTimeout float64 `json:"connect_timeout"`
}

// settings are where to write.
type settings struct {
	connection *pgx.ConnConfig
	// table is the table as it is written in SQL.
	table string
	// place is the database in words, without a secret.
	place string
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$`)

// settingsOf reads a configuration. The DSN is not repeated in an error: it may hold a password.
func settingsOf(text json.RawMessage) (settings, error) {
	given := config{Table: "messages", ConnectTimeout: 10}
	if err := cdpplugin.DecodeConfig(text, &given); err != nil {
		return settings{}, err
	}
	if !tableName.MatchString(given.Table) {
		return settings{}, cdpplugin.ConfigInvalid{
			Message: fmt.Sprintf("`table`: expected `name` or `schema.name`, got `%s`", given.Table),
			Hint:    "use letters, digits and `_` only",
		}
	}
	if given.ConnectTimeout <= 0 {
		return settings{}, cdpplugin.ConfigInvalid{
			Message: fmt.Sprintf("`connect_timeout`: expected seconds, more than 0, got `%g`", given.ConnectTimeout),
			Hint:    "leave it out for 10 s",
		}
	}
	connection, err := connectionOf(given.DSN)
	if err != nil {
		return settings{}, err
	}
	connection.ConnectTimeout = time.Duration(given.ConnectTimeout * float64(time.Second))
	// A pool between here and the server may not know what another connection has prepared.
	connection.DefaultQueryExecMode = pgx.QueryExecModeExec
	return settings{
		connection: connection,
		table:      pgx.Identifier(strings.Split(given.Table, ".")).Sanitize(),
		place:      fmt.Sprintf("PostgreSQL database `%s` on `%s`", connection.Database, connection.Host),
	}, nil
}

func connectionOf(dsn string) (*pgx.ConnConfig, error) {
	got := "something else"
	if dsn == "" {
		got = "nothing"
	} else if connection, err := pgx.ParseConfig(dsn); err == nil {
		return connection, nil
	}
	return nil, cdpplugin.ConfigInvalid{
		Message: "`dsn`: expected `postgresql://user:password@host/database` or `host=... dbname=...`, got " + got,
		Hint:    "percent-encode special characters of a password in a URL",
	}
}
