// Swagger UI for the description of the REST interface; the bundle is a classic script that defines SwaggerUIBundle.

window.SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  validatorUrl: null, // nothing is sent to another host
  presets: [window.SwaggerUIBundle.presets.apis],
});
