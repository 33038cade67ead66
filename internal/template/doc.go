// Package template holds the tests of template.yaml, samconfig.toml and the
// build of the functions. They translate the template as AWS SAM does and check
// the result: who may do what, what is encrypted and kept, what raises an alarm,
// and that it fits the code. Each check is also run on templates that were
// broken on purpose. Foreign validators run beside them. All of it needs the
// tools that make tools installs, and neither network nor an AWS account.
package template
