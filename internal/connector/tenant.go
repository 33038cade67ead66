package connector

import (
	"context"
	"strconv"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

// destination is the Gainsight organisation: the one that an admin entered, else
// that of the deployment.
func (c *Connector) destination(ctx context.Context, config gainsight.Config, p Ports, fresh bool) (gainsight.Config, error) {
	d, err := c.Settings.Destination(ctx, fresh)
	if err == nil {
		return gainsight.Config{URL: d.URL, AccessKey: d.AccessKey, ClientID: d.ClientID, ClientSecret: d.ClientSecret}, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return config, err
	}
	if p.Secret != nil && config.URL != "" {
		if config.AccessKey, err = p.Secret(ctx, SecretGainsightKey, fresh); err != nil {
			return config, err
		}
		if config.ClientSecret, err = p.Secret(ctx, SecretGainsightClient, false); err != nil {
			return config, err
		}
	}
	if config.URL == "" || config.AccessKey == "" && (config.ClientID == "" || config.ClientSecret == "") {
		return config, fault.New(fault.Invalid, "Gainsight is not set up. Enter the tenant under Settings.")
	}
	return config, nil
}

// tenantTokens keeps a token for each destination that was ever entered, so that
// none reaches another tenant than the one that granted it.
type tenantTokens struct {
	c      *Connector
	broker *token.Broker
}

func (t tenantTokens) name(ctx context.Context, connection string) (string, error) {
	d, err := t.c.Settings.Destination(ctx, false)
	if fault.Is(err, fault.NotFound) {
		return connection, nil
	}
	return connection + "-" + strconv.FormatInt(d.Version, 10), err
}

// Token implements gainsight.Tokens.
func (t tenantTokens) Token(ctx context.Context, connection string) (token.Token, error) {
	name, err := t.name(ctx, connection)
	if err != nil {
		return token.Token{}, err
	}
	return t.broker.Token(ctx, name)
}

// Renew implements gainsight.Tokens.
func (t tenantTokens) Renew(ctx context.Context, connection string, bad secret.Text) (token.Token, error) {
	name, err := t.name(ctx, connection)
	if err != nil {
		return token.Token{}, err
	}
	return t.broker.Renew(ctx, name, bad)
}
