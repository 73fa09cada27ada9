curl --request POST \
--url '{{base_url}}/api/v1/admin/service-account/create' \
--header 'accept: application/json' \
--header 'authorization: Bearer {{access_token}}' \
--header 'x-tenantid: {{tenant_id}}'
