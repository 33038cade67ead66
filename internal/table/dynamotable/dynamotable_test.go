package dynamotable_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/dynamotable"
	"hubspotconnector/internal/table/tabletest"
)

// create makes a table as the template does.
func create(t *testing.T, client *dynamodb.Client, name string) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestItKeepsTheContract(t *testing.T) {
	engines := map[string]func(t *testing.T) awstest.Engine{
		"ministack": func(t *testing.T) awstest.Engine { t.Helper(); return awstest.Start(t) },
		"dynoxide":  func(t *testing.T) awstest.Engine { t.Helper(); return awstest.Dynoxide(t) },
	}
	for name, start := range engines {
		t.Run(name, func(t *testing.T) {
			client := dynamodb.NewFromConfig(awstest.Config(t, start(t)))
			create(t, client, "items")
			tabletest.Run(t, func(*testing.T) table.Table { return dynamotable.New(client, "items", dynamotable.Options{}) })
		})
	}
}
