curl --request POST \
  --url https://api.eda.prisme.ai/v2/orgs/{orgSlug}/service-accounts \
  --header 'Authorization: Bearer <token>' \
  --header 'Content-Type: application/json' \
  --data '
{
  "slug": "<string>",
  "name": "<string>",
  "roleSlug": "<string>",
  "description": "<string>",
  "scopes": [
    "<string>"
  ]
}
'
