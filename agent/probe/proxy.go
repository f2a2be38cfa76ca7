package probe

import (
	"context"

	"net"
)

func askProxies(ctx context.Context, dev *net.Interface, template message, answers []heard) ([]Offer, []string, error) {
	return nil, nil, nil
}
