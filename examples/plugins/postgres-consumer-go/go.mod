module github.com/withObsrvr/cdp-pipeline-workflow/examples/plugins/postgres-consumer-go

go 1.24.0

require (
	github.com/jackc/pgx/v5 v5.8.0
	github.com/withObsrvr/cdp-pipeline-workflow/sdk/go v0.1.0
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	golang.org/x/net v0.48.0 // indirect
	golang.org/x/sys v0.39.0 // indirect
	golang.org/x/text v0.32.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20251202230838-ff82c1b0f217 // indirect
	google.golang.org/grpc v1.79.3 // indirect
	google.golang.org/protobuf v1.36.10 // indirect
)

// Within this repository the SDK of the same checkout is used.
replace github.com/withObsrvr/cdp-pipeline-workflow/sdk/go => ../../../sdk/go
