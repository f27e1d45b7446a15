module my-plugin

go GO_VERSION

require github.com/withObsrvr/cdp-pipeline-workflow/sdk/go v0.1.0

GO_INDIRECT

// The SDK that came with flowctl.
replace github.com/withObsrvr/cdp-pipeline-workflow/sdk/go => SDK_PATH/go
