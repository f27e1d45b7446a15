const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const nodemailer = require('nodemailer');

// Load proto
const packageDefinition = protoLoader.loadSync('plugin.proto');
const pluginProto = grpc.loadPackageDefinition(packageDefinition).plugin.v1;

// Email configuration
const transporter = nodemailer.createTransport({
  host: process.env.SMTP_HOST || '127.0.0.1',
  port: Number(process.env.SMTP_PORT || 25),
  auth: process.env.EMAIL_USER && {
    user: process.env.EMAIL_USER,
    pass: process.env.EMAIL_PASS
  }
});

// Plugin implementation
const server = new grpc.Server();

server.addService(pluginProto.PluginService.service, {
  GetMetadata: (call, callback) => {
    callback(null, {
      name: 'email-notifier',
      version: '1.0.0',
      type: 'consumer'
    });
  },
  
  Process: async (call, callback) => {
    const message = JSON.parse(call.request.payload);
    
    // Check if notification needed
    if (message.fraud_detected) {
      await transporter.sendMail({
        to: 'security@example.com',
        subject: 'Fraud Alert',
        text: `Fraud detected in transaction ${message.id}`
      });
    }
    
    callback(null, {
      id: call.request.id,
      type: 'notification_sent'
    });
  }
});

// Start server
const port = process.env.PLUGIN_PORT || 50051;
server.bindAsync(
  `0.0.0.0:${port}`,
  grpc.ServerCredentials.createInsecure(),
  () => {
    console.log(`Email notifier plugin listening on port ${port}`);
    server.start();
  }
);
