curl --request POST \
  --url https://identity.nks.europe-west4.nscale.com/api/v1/organizations/{organizationID}/serviceaccounts \
  --header 'Authorization: Bearer <token>' \
  --header 'Content-Type: application/json' \
  --data '
{
  "metadata": {
    "name": "my-service-account",
    "description": "A service account for doing stuff."
  },
  "spec": {
    "groupIDs": [
      "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad"
    ]
  }
}
'
