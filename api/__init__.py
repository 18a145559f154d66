"""The door: the Starlette application, sign-in, limits, and the GraphQL schema."""
