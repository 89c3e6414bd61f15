package language

import "context"

type contextKey struct{}

// With notes the language of the page that is drawn under ctx, for a form that shows which one is
// chosen.
func With(ctx context.Context, tag string) context.Context {
	return context.WithValue(ctx, contextKey{}, tag)
}

// Of is the language that With noted; English if none was.
func Of(ctx context.Context) string {
	if tag, _ := ctx.Value(contextKey{}).(string); tag != "" {
		return tag
	}
	return English
}
